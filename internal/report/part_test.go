package report

import (
	"fmt"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Whoever goes through a thousand backups and back sees each once on either way, although
// new ones come meanwhile.
func TestPart_ThereAndBack(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)
	var all []Backup
	for i := range 1000 {
		all = append(all, Backup{Name: holdfast.BackupName(fmt.Sprintf("b%04d", i)), CreatedAt: new(holdfast.At(begin.Add(-time.Duration(i) * time.Minute)))})
	}
	q, seen := Query{Limit: 50}, map[holdfast.BackupName]bool{}
	var last Part
	for pages := 1; ; pages++ {
		part, err := q.Part(all)
		if err != nil || part.Before != (pages > 1) {
			t.Fatalf("page %d: before %v, %v", pages, part.Before, err)
		}
		for _, b := range part.Backups {
			if seen[b.Name] {
				t.Fatalf("%s comes twice", b.Name)
			}
			seen[b.Name] = true
		}
		if last = part; part.Next == "" {
			break
		}
		q.After = part.Next
		all = append(all, Backup{Name: holdfast.BackupName(fmt.Sprintf("new%d", pages)), CreatedAt: new(holdfast.At(begin.Add(time.Hour)))})
	}
	if len(seen) != 1000 || last.From+len(last.Backups) != last.Total {
		t.Fatalf("seen %d; the last page is %d of %d", len(seen), last.From, last.Total)
	}
	for steps := 0; last.Before; steps++ {
		if steps > 40 {
			t.Fatal("there is no way back")
		}
		from := last.From
		var err error
		if last, err = (Query{Limit: 50, After: last.Prev}).Part(all); err != nil || last.From >= from {
			t.Fatalf("back from %d to %d: %v", from, last.From, err)
		}
	}
	if last.From != 0 || last.Backups[0].Name != "new9" && last.Backups[0].CreatedAt.Before(begin) {
		t.Errorf("the first page begins with %s", last.Backups[0].Name)
	}
}
