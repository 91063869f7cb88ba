package repo

import "testing"

// TestOpenBackupsShareTheirFrames holds what is kept to one bound, however many backups
// are open, and gives it back when one is closed.
func TestOpenBackupsShareTheirFrames(t *testing.T) {
	pool := newFramePool(8)
	a, b := &frameCache{pool}, &frameCache{pool}
	put := func(c *frameCache, frame int64, content byte) {
		buf := plainBuffers.Get().(*[]byte)
		*buf = append((*buf)[:0], content)
		c.put("one/file", frame, buf, 1)
	}
	for i := range int64(20) {
		put(a, i, 'a')
		put(b, i, 'b')
	}
	if n := pool.used.Len(); n != 8 || len(pool.byKey) != 8 {
		t.Errorf("%d frames are kept (%d by key), want 8", n, len(pool.byKey))
	}
	var p [1]byte
	if !a.read("one/file", 19, 0, p[:]) || p[0] != 'a' {
		t.Errorf("the last frame of a backup is %q", p)
	}
	if !b.read("one/file", 19, 0, p[:]) || p[0] != 'b' {
		t.Errorf("the last frame of the other is %q", p)
	}
	a.clear()
	if a.read("one/file", 19, 0, p[:]) {
		t.Error("a frame is kept for a backup that is closed")
	}
	if !b.read("one/file", 19, 0, p[:]) || pool.used.Len() != 4 {
		t.Errorf("the other has %d frames left, want 4", pool.used.Len())
	}
}
