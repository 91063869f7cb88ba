package chroma_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// A server that is up and idle costs no reading; what is written then is in the
// next capture, be it in the log, in the index or in one of several folders.
func TestCapture_ReadsOnlyWhatTheServerWrote(t *testing.T) {
	t.Parallel()
	for _, v := range chromatest.Versions() {
		for _, mode := range []string{"delete", "wal"} {
			t.Run(fmt.Sprintf("%s server, journal %s", v, mode), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, v)
				if mode == "wal" {
					chromatest.UseWAL(t, v, s.dir)
				}
				server := chromatest.Start(t, v, s.dir)
				c, src := server.Client(), s.source(t)
				col, err := c.Collection(t.Context(), notes)
				if err != nil {
					t.Fatal(err)
				}
				last := sourcetest.Stamped(t, src)
				written := noteCount
				for _, more := range []int{0, 3, 0, 2 * threshold, 0} { // nothing, log, nothing, index, nothing
					if more > 0 {
						if err := c.Add(t.Context(), col.ID, makeNotes(written, more)); err != nil {
							t.Fatal(err)
						}
						written += more
						if _, sink := sourcetest.Again(t, src, last); sink.Reused() == len(sink.Stamps()) && len(sink.Stamps()) == len(last.Stamps()) {
							t.Error("everything was taken over although the server wrote")
						}
						last = sourcetest.Stamped(t, src)
					}
					got, sink := sourcetest.Again(t, src, last)
					if last != nil && (got.Method != "unchanged" || sink.Reused() != len(last.Stamps())) {
						t.Errorf("of an idle server %d of %d files were reused (%s)", sink.Reused(), len(last.Stamps()), got.Method)
					}
					report, err := src.Check(t.Context(), sink.FS(), holdfast.CheckOptions{})
					if err != nil {
						t.Fatal(err)
					}
					if len(got.Problems)+len(report.Problems) > 0 {
						t.Errorf("problems %+v", append(got.Problems, report.Problems...))
					}
					if n := report.Facts.Chroma.Records; n != int64(written+7) {
						t.Errorf("%d records, want %d", n, written+7)
					}
					if last != nil {
						last = sink
					}
				}
				if err := server.Stop(); err != nil {
					t.Fatal(err)
				}
			})
		}
	}
}

// A folder that contradicts itself has to be named in every backup, so it is
// read in every backup; so is one from which a file has gone.
func TestCapture_NamesADamagedFolderAgain(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func(folder string) error{
		"pickle cut":     func(folder string) error { return os.Truncate(filepath.Join(folder, "index_metadata.pickle"), 40) },
		"header removed": func(folder string) error { return os.Remove(filepath.Join(folder, "header.bin")) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, chromatest.Old)
			src := s.source(t)
			last := sourcetest.Stamped(t, src)
			if err := damage(s.folder(t, notes)); err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				got, sink := sourcetest.Again(t, src, last)
				if len(got.Problems) != 1 || got.Problems[0].Severity != holdfast.Damaged || !strings.Contains(got.Problems[0].Object, notes) {
					t.Errorf("capture %d: problems %+v, want the damaged folder of %s", i, got.Problems, notes)
				}
				last = sink
			}
		})
	}
}
