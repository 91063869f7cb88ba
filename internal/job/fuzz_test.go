package job

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Whatever lies in the directory: a daemon starts over it, settles what it can, and
// tells of each job that it knows how it ended.
func FuzzOpen(f *testing.F) {
	const id = "20241030T143000123-K7Q2M9XA"
	whole := `{"version":1,"id":"` + id + `","kind":"backup","state":"running","created_at":"2024-10-30T14:30:00.123Z","started_at":"2024-10-30T14:30:00.123Z","request_hash":"x"}`
	f.Add([]byte(whole), []byte(`{"seq":1,"at":"2024-10-30T14:30:00.123Z","state":"running"}`+"\n"+`{"seq":2,"at":"2024-10-30T14:30:01.000Z","event":{"op":"backup","step":"capture"}}`+"\n"+`{"seq":3,"at`))
	f.Add([]byte(`{"version":1,"id":"`+id+`","kind":"verify","state":"succeeded","ended_at":"2024-10-30T14:30:00.123Z","events":9}`), []byte("\n\n{}\n"))
	f.Add([]byte(whole[:40]), []byte{0})
	f.Add([]byte(whole), []byte(`{"seq":9223372036854775807}`+"\n"))
	f.Add([]byte(`{"version":1,"id":"../../x","state":"queued"}`), []byte(`{"seq":9223372036854775807}`+"\n"))
	f.Fuzz(func(t *testing.T, rec, events []byte) {
		dir := t.TempDir()
		for name, data := range map[string][]byte{id + recordSuffix: rec, id + eventsSuffix: events} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		r, err := Open(Options{Dir: dir, Logger: slog.New(slog.DiscardHandler), Keep: 1 << 62})
		if err != nil {
			t.Fatal(err)
		}
		defer closeNow(r)
		if err := r.Settle(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		jobs, _, _ := r.List(Filter{}, Page{})
		if len(jobs) > 1 {
			t.Fatalf("one record gave %d jobs", len(jobs))
		}
		for _, j := range jobs {
			if j.ID != id || !j.State.Ended() {
				t.Fatalf("the job is %+v", j)
			}
			var last Event
			for ev, err := range r.Events(context.Background(), id, 0) {
				if err != nil || ev.Seq <= last.Seq {
					t.Fatalf("after %+v came %+v, %v", last, ev, err)
				}
				last = ev
			}
		}
	})
}
