package boot

import (
	"testing"

	"github.com/holdfast-backup/holdfast"
)

// A bot that may not go on in memory is told, and goes on when the storage works.
func TestNoMemory_StatementsFailUntilTheStorageWorks(t *testing.T) {
	w := newWorld(t)
	w.o.NoMemory = true
	f := failures(w, "full")
	s := w.start()
	fill(t, s.DB(), 3)
	f.fail()
	eventually(t, "a statement that fails", func() bool {
		_, err := s.DB().Exec("INSERT INTO users(name) VALUES(hex(zeroblob(4000)))")
		return err != nil
	})
	st := s.Status()
	if st.State != Ready || len(st.Problems) != 1 || st.Problems[0].Severity != holdfast.Damaged || st.Sources[0].Storage.Usable {
		t.Errorf("the status: %s, %+v", st.State, st.Problems)
	}
	f.mend()
	eventually(t, "no problem", func() bool { st := s.Status(); return len(st.Problems) == 0 && st.Sources[0].Storage.Usable })
	n := rows(t, s)
	fill(t, s.DB(), 2)
	if got := rows(t, s); got != n+2 {
		t.Errorf("%d rows, want %d", got, n+2)
	}
}
