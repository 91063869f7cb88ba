package report

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// shelf makes n backups with every kind of property, some made at one moment, some
// of unknown age, in an order of no meaning.
func shelf(random *rand.Rand, n int) []Backup {
	triggers := []holdfast.Trigger{holdfast.TriggerManual, holdfast.TriggerAuto, holdfast.TriggerScheduled}
	all := make([]Backup, n)
	for i := range all {
		b := &all[i]
		b.Name = holdfast.BackupName(fmt.Sprintf("backup-%03d-%d", random.IntN(1000), i))
		b.LogicalBytes = int64(random.IntN(5))
		b.Trigger = triggers[random.IntN(len(triggers))]
		b.Pinned = random.IntN(4) == 0
		b.Sources = []BackupSource{{Name: fmt.Sprintf("source%d", random.IntN(3))}}
		if random.IntN(8) > 0 {
			b.CreatedAt = new(holdfast.At(time.Unix(int64(random.IntN(n)), 0)))
		} else {
			b.Error = "its metadata is damaged"
		}
		if random.IntN(2) == 0 {
			b.Proven = &Proven{Kind: holdfast.ProofVerify}
		}
		if random.IntN(3) == 0 {
			b.Note = "before the import"
		}
	}
	return all
}

func namesOf(list []Backup) []holdfast.BackupName {
	names := make([]holdfast.BackupName, len(list))
	for i, b := range list {
		names[i] = b.Name
	}
	return names
}

var orders = []string{"", SortNewest, SortOldest, SortName, SortSize}

// TestQuery_PagesAreTheWholeList: one after the other, the pages are what one page
// of any size would be.
func TestQuery_PagesAreTheWholeList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		all := shelf(random, random.IntN(60))
		q := Query{Sort: orders[random.IntN(len(orders))], Limit: MaxLimit}
		if random.IntN(2) == 0 {
			q.Pinned = new(random.IntN(2) == 0)
		}
		if random.IntN(3) == 0 {
			q.Text = "IMPORT"
		}
		whole, next, total, err := q.Page(all)
		if err != nil || next != "" || total != len(whole) {
			t.Fatalf("%d of %d on one page, then %q, %v", len(whole), total, next, err)
		}
		q.Limit = 1 + random.IntN(9)
		var paged []Backup
		for {
			page, next, n, err := q.Page(all)
			if err != nil || n != total || len(page) > q.Limit {
				t.Fatalf("%d on a page of %d, %d in all, %v", len(page), q.Limit, n, err)
			}
			paged = append(paged, page...)
			if q.After = next; next == "" {
				break
			}
		}
		if !slices.Equal(namesOf(paged), namesOf(whole)) {
			t.Fatalf("sorted by %q in pages of %d:\n%v\nin one:\n%v", q.Sort, q.Limit, namesOf(paged), namesOf(whole))
		}
	}
}

// TestQuery_NothingIsSkippedOrDoubled: backups come and go between the pages; each
// that was there all the time is on exactly one page, and none is on two.
func TestQuery_NothingIsSkippedOrDoubled(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		all := shelf(random, 40)
		stays := map[holdfast.BackupName]int{}
		for _, b := range all {
			stays[b.Name] = 0
		}
		q := Query{Sort: orders[random.IntN(len(orders))], Limit: 1 + random.IntN(7)}
		seen := map[holdfast.BackupName]int{}
		for {
			page, next, _, err := q.Page(all)
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range page {
				seen[b.Name]++
			}
			if q.After = next; next == "" {
				break
			}
			if len(page) > 0 && random.IntN(2) == 0 { // the one behind which the next page begins, too
				all = slices.DeleteFunc(all, func(b Backup) bool { return b.Name == page[len(page)-1].Name })
				delete(stays, page[len(page)-1].Name)
			}
			for range random.IntN(3) {
				if i := random.IntN(len(all) + 1); i < len(all) {
					delete(stays, all[i].Name)
					all = slices.Delete(all, i, i+1)
				}
			}
			for i, b := range shelf(random, random.IntN(3)) {
				b.Name = holdfast.BackupName(fmt.Sprintf("%s-new-%d-%d", b.Name, len(seen), i))
				all = append(all, b)
			}
		}
		for name, n := range seen {
			if n > 1 {
				t.Fatalf("sorted by %q: %s is on %d pages", q.Sort, name, n)
			}
		}
		for name := range stays {
			if seen[name] != 1 {
				t.Fatalf("sorted by %q: %s was there all the time and is on %d pages", q.Sort, name, seen[name])
			}
		}
	}
}

func TestQuery_Filters(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2024, 10, d, 0, 0, 0, 0, time.UTC) }
	made := func(d int) *holdfast.Time { return new(holdfast.At(day(d))) }
	all := []Backup{
		{Name: "สำรองข้อมูล", CreatedAt: made(4), Kind: holdfast.Enhanced, Trigger: holdfast.TriggerManual, LogicalBytes: 10, Note: "before the Import", Proven: &Proven{}, Drilled: &Drilled{OK: true}},
		{Name: "auto", CreatedAt: made(3), Kind: holdfast.Standard, Trigger: holdfast.TriggerAuto, LogicalBytes: 30, Pinned: true, Drilled: &Drilled{}},
		{Name: "bot", CreatedAt: made(2), Kind: holdfast.Standard, Trigger: holdfast.TriggerAuto, LogicalBytes: 20, Sources: []BackupSource{{Name: "bot"}}, Problems: []holdfast.Problem{{}}},
		{Name: "broken", Error: "its metadata is damaged"},
	}
	for _, c := range []struct {
		q    Query
		want string
	}{
		{Query{}, "สำรองข้อมูล auto bot broken"},
		{Query{Sort: SortOldest}, "bot auto สำรองข้อมูล broken"},
		{Query{Sort: SortName}, "auto bot broken สำรองข้อมูล"},
		{Query{Sort: SortSize}, "auto bot สำรองข้อมูล broken"},
		{Query{Text: "import"}, "สำรองข้อมูล"},
		{Query{Text: "สำรอง BEFORE"}, "สำรองข้อมูล"},
		{Query{Text: "import nothing"}, ""},
		{Query{Type: holdfast.Standard}, "auto bot"},
		{Query{Trigger: holdfast.TriggerManual}, "สำรองข้อมูล"},
		{Query{Source: "bot"}, "bot"},
		{Query{Proven: new(true)}, "สำรองข้อมูล"},
		{Query{Proven: new(false)}, "auto bot broken"},
		{Query{Drilled: new(true)}, "สำรองข้อมูล"},
		{Query{Pinned: new(true)}, "auto"},
		{Query{Problems: new(true)}, "bot broken"},
		{Query{Since: day(3)}, "สำรองข้อมูล auto"},
		{Query{Until: day(3)}, "bot"},
		{Query{Since: day(3), Until: day(4)}, "auto"},
	} {
		page, next, total, err := c.q.Page(all)
		var words []string
		for _, n := range namesOf(page) {
			words = append(words, n.String())
		}
		if got := strings.Join(words, " "); got != c.want || err != nil || next != "" || total != len(page) {
			t.Errorf("%+v: got %q (%d in all, then %q) and %v, want %q", c.q, got, total, next, err, c.want)
		}
	}
}

func TestQuery_RefusesWhatItDoesNotKnow(t *testing.T) {
	all := shelf(rand.New(rand.NewPCG(5, 6)), 10)
	_, byName, _, err := Query{Sort: SortName, Limit: 2}.Page(all)
	if err != nil || byName == "" {
		t.Fatalf("no cursor: %v", err)
	}
	for _, q := range []Query{{Sort: "colour"}, {After: "%%"}, {After: "e30"}, {After: byName}, {Limit: -1}} {
		if _, _, _, err := q.Page(all); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%+v: got %v, want wrong usage", q, err)
		}
	}
}

func BenchmarkQuery_PageOfAThousand(b *testing.B) {
	all := shelf(rand.New(rand.NewPCG(7, 8)), 1000)
	q := Query{Text: "import"}
	for b.Loop() {
		if _, _, _, err := q.Page(all); err != nil {
			b.Fatal(err)
		}
	}
}
