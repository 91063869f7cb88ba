package repo

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// commitAt commits a small backup that was made at a time.
func commitAt(t *testing.T, r *Repository, name holdfast.BackupName, at time.Time, trigger holdfast.Trigger) {
	t.Helper()
	p := create(t, r, name, CreateOptions{})
	put(t, p.Sink("bot"), "bot.db", []byte("page"))
	if _, err := p.Commit(t.Context(), &holdfast.Metadata{CreatedAt: holdfast.At(at), Type: holdfast.Standard, Trigger: trigger}); err != nil {
		t.Fatal(err)
	}
}

// newest gives all backups as Newest does.
func newest(t *testing.T, r *Repository) (names []holdfast.BackupName) {
	t.Helper()
	for info, err := range r.Newest(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, info.Name)
	}
	return names
}

func TestRepository_NewestIsListInItsOrder(t *testing.T) {
	for seed := range uint64(20) {
		random := rand.New(rand.NewPCG(seed, 0))
		r, b := newRepo(t)
		taken := map[holdfast.BackupName]bool{}
		for i := range 40 {
			// Several in one second, and some a moment younger than their names.
			named := testTime.Add(time.Duration(random.IntN(30)) * time.Second)
			made := named.Add(time.Duration(random.IntN(2000)) * time.Millisecond)
			triggers := []holdfast.Trigger{holdfast.TriggerChange, holdfast.TriggerStartup, holdfast.TriggerManual, holdfast.TriggerEmergency}
			trigger := triggers[random.IntN(len(triggers))]
			name := holdfast.AutomaticName(trigger, holdfast.Standard, named, "")
			switch random.IntN(8) {
			case 0:
				name = holdfast.BackupName(fmt.Sprintf("before-%d", i))
			case 1: // as if it were of another century
				name = holdfast.AutomaticName(holdfast.TriggerGuard, holdfast.Standard, named.AddDate(100, 0, i), "")
			case 2:
				name = holdfast.AutomaticName(holdfast.TriggerGuard, holdfast.Standard, named, "").Suffixed(i + 2)
			}
			if taken[name] {
				continue
			}
			taken[name] = true
			commitAt(t, r, name, made, trigger)
			switch random.IntN(10) {
			case 0:
				if err := b.Corrupt(string(name)+"/"+holdfast.MetadataFile, func([]byte) []byte { return nil }); err != nil {
					t.Fatal(err)
				}
			case 1:
				if _, err := r.Delete(t.Context(), name); err != nil {
					t.Fatal(err)
				}
			}
		}
		list, err := r.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var want []holdfast.BackupName
		for _, info := range list {
			want = append(want, info.Name)
		}
		if got := newest(t, r); !slices.Equal(got, want) {
			t.Errorf("seed %d: the order is\n%v, of List\n%v", seed, got, want)
		}
		latest, err := r.Latest(t.Context())
		stat, serr := r.Stat(t.Context(), "latest")
		if err != nil || serr != nil || latest.Name != stat.Name {
			t.Errorf("seed %d: the latest is %s, %v; of Stat %s, %v", seed, latest.Name, err, stat.Name, serr)
		}
	}
}

func TestRepository_NewestReadsOnlyWhatIsAskedFor(t *testing.T) {
	r, b := newRepo(t)
	for i := range 300 {
		at := testTime.Add(time.Duration(i) * time.Minute)
		commitAt(t, r, holdfast.AutomaticName(holdfast.TriggerChange, holdfast.Standard, at, ""), at, holdfast.TriggerChange)
	}
	var opened atomic.Int64
	b.Inject(func(op, _ string) error {
		if op == "open" {
			opened.Add(1)
		}
		return nil
	})
	for info, err := range r.Newest(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if want := testTime.Add(299 * time.Minute); !info.Metadata.CreatedAt.Equal(want) {
			t.Errorf("the first is %s", info.Name)
		}
		break
	}
	b.Inject(nil)
	if n := opened.Load(); n > 8 { // metadata and state of those of the last minutes
		t.Errorf("%d objects were opened to find the newest of 300", n)
	}
}

func TestRepository_LatestPrefersWhatSomebodyWanted(t *testing.T) {
	r, _ := newRepo(t)
	if _, err := r.Latest(t.Context()); !errors.Is(err, holdfast.ErrNotFound) || holdfast.HintOf(err) == "" {
		t.Errorf("the latest of none: %v", err)
	}
	expect := func(want holdfast.BackupName) {
		t.Helper()
		if info, err := r.Latest(t.Context()); err != nil || info.Name != want {
			t.Errorf("the latest is %s, %v; want %s", info.Name, err, want)
		}
	}
	for i, name := range []holdfast.BackupName{"emergency_restore_20241030_143010", "emergency_restore_20241030_143020"} {
		commitAt(t, r, name, testTime.Add(time.Duration(i)*time.Second), holdfast.TriggerEmergency)
	}
	expect("emergency_restore_20241030_143020")
	commitAt(t, r, "wanted", testTime.Add(-time.Hour), holdfast.TriggerManual)
	expect("wanted")
}
