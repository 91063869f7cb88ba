package engine

import "sync"

// taken counts the bytes that a backup has taken in, over all its files. It
// remembers a bounded number of them, since only a few are written side by side.
type taken struct {
	mu    sync.Mutex
	files map[string]int64
	sum   int64
}

const atOnce = 64

// observe gives a function that counts and tells the progress of the whole.
func (t *taken) observe(tell func(path string, done, total int64), estimate int64) func(source, path string, written int64) {
	return func(source, path string, written int64) {
		t.mu.Lock()
		if t.files == nil {
			t.files = map[string]int64{}
		}
		key := source + "/" + path
		if _, known := t.files[key]; !known && len(t.files) >= atOnce {
			clear(t.files) // finished long ago, or nearly all of them
		}
		t.sum += written - t.files[key]
		t.files[key] = written
		done := t.sum
		t.mu.Unlock()
		tell(key, done, max(estimate, done))
	}
}
