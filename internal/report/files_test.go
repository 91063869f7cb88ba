package report

import (
	"fmt"
	"slices"
	"testing"
)

// Page after page comes every file once, in order, of the source that was asked for.
func TestPageOfFiles_EveryFileOnce(t *testing.T) {
	var files []File
	for i := range 25 {
		files = append(files, File{Path: fmt.Sprintf("bot/%02d", 24-i)}, File{Path: fmt.Sprintf("bot-two/%02d", i)})
	}
	files = append(files, File{Path: "bot"}, File{Path: "manifest.json"})
	for source, want := range map[string]int{"": 52, "bot": 26, "bot-two": 25, "nobody": 0} {
		for _, limit := range []int{1, 7, 100} {
			var got []string
			after, pages := "", 0
			for {
				page := PageOfFiles(files, source, after, limit)
				if page.Total != want || page.Index != len(got) || len(page.Files) > limit {
					t.Fatalf("%q by %d: %d of %d from %d", source, limit, len(page.Files), page.Total, page.Index)
				}
				for _, f := range page.Files {
					got = append(got, f.Path)
				}
				if before := got[:page.Index]; len(before) > 0 {
					back := PageOfFiles(files, source, page.Prev, limit)
					if want := max(0, page.Index-limit); back.Index != want || back.Files[0].Path != got[want] {
						t.Fatalf("%q by %d: before %d comes %d", source, limit, page.Index, back.Index)
					}
				}
				if after = page.Next; after == "" {
					break
				}
				if pages++; pages > want {
					t.Fatal("it has no end")
				}
			}
			if len(got) != want || !slices.IsSorted(got) || len(slices.Compact(got)) != want {
				t.Errorf("%q by %d: %v", source, limit, got)
			}
		}
	}
}
