//go:build linux

package test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/chromatest"
)

// traffic is the collection that clients write to all the time.
const traffic = "traffic"

// clients use a server without a pause: each round adds a record to the traffic
// and asks for the nearest neighbour of a document that never changes.
type clients struct {
	t    *testing.T
	url  string
	stop context.CancelFunc
	wait sync.WaitGroup

	mu     sync.Mutex
	n      int                  // rounds that were begun
	acked  map[int][2]time.Time // when each record was sent and acknowledged
	errors []failure
}

// A failure is a request that failed: when it was sent, and when that was known.
type failure struct {
	from, to time.Time
	err      error
}

func (s *chromaRun) newClients(ids map[string]string, number int) *clients {
	ctx, cancel := context.WithCancel(s.t.Context())
	c := &clients{t: s.t, url: s.url, stop: cancel, acked: map[int][2]time.Time{}}
	for range number {
		c.wait.Go(func() {
			client := chromatest.NewClient(c.url)
			defer client.Close()
			for ctx.Err() == nil {
				c.round(ctx, client, ids)
			}
		})
	}
	s.t.Cleanup(c.end)
	return c
}

// end ends the clients.
func (c *clients) end() {
	c.stop()
	c.wait.Wait()
}

func (c *clients) round(ctx context.Context, client *chromatest.Client, ids map[string]string) {
	c.mu.Lock()
	n := c.n
	c.n++
	c.mu.Unlock()
	from := time.Now()
	err := client.Add(ctx, ids[traffic], thai(traffic, n, 1))
	if err == nil {
		c.mu.Lock()
		c.acked[n] = [2]time.Time{from, time.Now()}
		c.mu.Unlock()
		want := thai(documents, 40, 1)[0]
		var found []string
		if found, err = client.Query(ctx, ids[documents], want.Embedding, 1); err == nil && (len(found) != 1 || found[0] != want.ID) {
			c.t.Errorf("a search for %s finds %q", want.ID, found)
		}
	}
	if err != nil && ctx.Err() == nil {
		c.mu.Lock()
		c.errors = append(c.errors, failure{from, time.Now(), err})
		c.mu.Unlock()
		time.Sleep(10 * time.Millisecond) // nobody is there
	}
}

// await waits until so many rounds more have gone well.
func (c *clients) await(s *chromaRun, more int) {
	c.t.Helper()
	acked := func() int {
		c.mu.Lock()
		defer c.mu.Unlock()
		return len(c.acked)
	}
	want := acked() + more
	s.until("the clients are served", func() bool { return acked() >= want })
}

// A Chroma server runs under holdfast while clients query and insert. A restore
// from another shell stops it, brings the earlier state, starts it and waits until
// it serves: clients meet errors only meanwhile, and everything is consistent
// afterwards. A directory that is wiped is restored before the server starts.
func TestRun_AChromaServerIsRestoredUnderItsClients(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		m := newMachine(t).with("HOLDFAST_SHUTDOWN_TIMEOUT=3s")
		s := m.serveChroma(v)
		monday := newAssistant(t, s.client())
		if _, err := s.client().Create(t.Context(), chromatest.CollectionSpec{Name: traffic, Space: "l2", SyncThreshold: persistence}); err != nil {
			t.Fatal(err)
		}
		ids := map[string]string{traffic: id(t, s.client(), traffic), documents: id(t, s.client(), documents)}
		c := s.newClients(ids, 3)
		c.await(s, 30)
		backup := time.Now()
		m.chroma(0, "backup", "--name", "monday")
		backedUp := time.Now()
		c.await(s, 30)
		present := monday.clone()
		present.remove(t, s.client(), documents, 20)
		present.remove(t, s.client(), memory, 44)
		present.add(t, s.client(), documents, 100, 25)

		from := time.Now()
		stdout, _ := m.chroma(0, "restore", "monday")
		to := time.Now()
		contains(t, "restore", stdout, "Restored chromadb from monday")
		c.await(s, 30)
		c.end()
		if len(c.errors) == 0 {
			t.Error("the clients met no error: nothing was stopped")
		}
		for _, f := range c.errors {
			if f.to.Before(from) || f.from.After(to) {
				t.Errorf("a client met an error outside of the restore: %v", f.err)
			}
		}
		monday.served(t, s.client())
		c.check(s.client(), ids[traffic], [2]time.Time{backup, backedUp}, [2]time.Time{from, to})
		if n := len(s.printed("pid")); n != 2 {
			t.Errorf("the server was started %d times, want 2", n)
		}

		// Its end, a wiped directory, and the next start.
		grown := monday.clone()
		grown.add(t, s.client(), documents, 200, 30)
		s.stop()
		m.wipe("data")
		s = m.serveChroma(v)
		contains(t, "run", s.stderr.String(), "restored")
		grown.served(t, s.client())
		s.stop()
	})
}

// check wants of the traffic: what was acknowledged before the backup and after
// the restore is there, what was sent between the two is not.
func (c *clients) check(client *chromatest.Client, collection string, backup, restore [2]time.Time) {
	c.t.Helper()
	records, err := client.Get(c.t.Context(), collection, nil)
	if err != nil {
		c.t.Fatal(err)
	}
	there := map[string]bool{}
	for _, r := range records {
		there[r.ID] = true
		if found, err := client.Query(c.t.Context(), collection, r.Embedding, 1); err != nil || len(found) != 1 || found[0] != r.ID {
			c.t.Errorf("a search for %s finds %q, %v", r.ID, found, err)
		}
	}
	kept, gone := 0, 0
	for n, at := range c.acked {
		id := fmt.Sprintf("%s-%03d", traffic, n)
		switch {
		case at[1].Before(backup[0]) || at[0].After(restore[1]):
			if kept++; !there[id] {
				c.t.Errorf("%s was acknowledged and is lost", id)
			}
		case at[0].After(backup[1]) && at[1].Before(restore[0]):
			if gone++; there[id] {
				c.t.Errorf("%s was added after the backup and is there", id)
			}
		}
	}
	if n, err := client.Count(c.t.Context(), collection); err != nil || n != len(records) {
		c.t.Errorf("count %d, %v; want %d", n, err, len(records))
	}
	if kept == 0 || gone == 0 {
		c.t.Errorf("%d records were to be kept and %d to be gone: this was no test", kept, gone)
	}
	c.t.Logf("%d records of the traffic were to be kept, %d to be gone, %d are there; %d errors during the restore", kept, gone, len(records), len(c.errors))
}
