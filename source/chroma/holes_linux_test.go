package chroma_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// Holes stay holes: an index reserves space for elements to come.
func TestCapture_KeepsHoles(t *testing.T) {
	t.Parallel()
	s := newStage(t, chromatest.New)
	const size = 256 << 20
	name := filepath.Join(s.folder(t, notes), "data_level0.bin")
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(name, size); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	captured, sink := s.capture(t)
	copied, err := os.Stat(sink.Path(filepath.Base(filepath.Dir(name)) + "/data_level0.bin"))
	if err != nil {
		t.Fatal(err)
	}
	if stored := copied.Sys().(*syscall.Stat_t).Blocks * 512; copied.Size() != size || stored > 4<<20 {
		t.Errorf("%d bytes, %d stored, want %d bytes in a few", copied.Size(), stored, size)
	}
	if problems := append(captured.Problems, s.check(t, sink.FS())...); len(problems) > 0 {
		t.Errorf("problems %+v", problems)
	}
}
