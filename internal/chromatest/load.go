package chromatest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// LoadOptions shape a load. The zero value is a good load.
type LoadOptions struct {
	Writers       int           // goroutines that write; default 4
	Records       int           // ids that each of them works on; default 250
	Batch         int           // records in a request, at most; default 16
	Dimension     int           // of every embedding; default 24
	SyncThreshold int           // log records between two persists; default 40
	Text          int           // bytes of every document, about; default 100
	Preload       bool          // begin with all ids in place, so that copies take time
	Churn         bool          // also create and delete whole collections
	Pause         time.Duration // between two requests of a writer; default none
}

func (o LoadOptions) withDefaults() LoadOptions {
	for _, f := range []struct {
		v *int
		d int
	}{{&o.Writers, 4}, {&o.Records, 250}, {&o.Dimension, 24}, {&o.SyncThreshold, 40}, {&o.Text, 100}, {&o.Batch, 16}} {
		if *f.v == 0 {
			*f.v = f.d
		}
	}
	return o
}

// A Load writes, updates, deletes and queries on a server until it is stopped
// and remembers when each request was sent and when it was acknowledged.
type Load struct {
	o       LoadOptions
	client  *Client
	began   time.Time
	cancel  context.CancelFunc
	workers sync.WaitGroup
	targets []Collection
	gate    sync.RWMutex // held for reading by every request

	mu        sync.Mutex
	ids       map[string]*history // by record id, unique across collections
	churned   map[string]*lifetime
	failures  []error
	conflicts int
	requests  int
}

// StartLoad creates the collections of the load on the server and starts it.
// It ends with the test unless it is stopped before.
func StartLoad(t testing.TB, s *Server, o LoadOptions) *Load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := &Load{
		o: o.withDefaults(), client: s.Client(), began: time.Now(), cancel: cancel,
		ids: map[string]*history{}, churned: map[string]*lifetime{},
	}
	t.Cleanup(l.Stop)
	for _, space := range []string{"cosine", "l2"} {
		c, err := l.client.Create(ctx, CollectionSpec{Name: "load-" + space, Space: space, SyncThreshold: l.o.SyncThreshold})
		if err != nil {
			t.Fatal(err)
		}
		l.targets = append(l.targets, c)
	}
	if l.o.Preload {
		for w := range l.o.Writers {
			l.preload(ctx, w)
		}
	}
	for w := range l.o.Writers {
		l.workers.Go(func() { l.write(ctx, w) })
	}
	l.workers.Go(func() { l.query(ctx) })
	if l.o.Churn {
		l.workers.Go(func() { l.churn(ctx) })
	}
	return l
}

// Stop ends the load and waits for its requests.
func (l *Load) Stop() {
	l.cancel()
	l.workers.Wait()
	l.client.Close()
}

// Rest lets the requests under way come to their end and holds further ones
// back until resume is called, so that a copy can be looked at in peace.
func (l *Load) Rest() (resume func()) {
	l.gate.Lock()
	return sync.OnceFunc(l.gate.Unlock)
}

// Moment is a time on the clock of one load.
type Moment time.Duration

// Now is the present moment.
func (l *Load) Now() Moment { return Moment(time.Since(l.began)) }

// Requests is the number of writes acknowledged so far.
func (l *Load) Requests() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests
}

// Conflicts is the number of changes of configuration that the server refused
// because its database was locked, which Chroma does at once and by design.
func (l *Load) Conflicts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conflicts
}

// Failures are the requests that failed although nothing should have made
// them fail.
func (l *Load) Failures() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return errors.Join(l.failures...)
}

func (l *Load) fail(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.failures) < 10 {
		l.failures = append(l.failures, err)
	}
}

// preload writes every id of one writer once.
func (l *Load) preload(ctx context.Context, w int) {
	const batch = 500
	for first := 0; first < l.o.Records; first += batch {
		ids := map[string]bool{}
		for i := first; i < min(first+batch, l.o.Records); i++ {
			ids[recordID(w, i)] = true
		}
		l.request(ctx, l.targets[w%len(l.targets)], "add", ids)
	}
}

// write is one writer. No other touches its ids, so that each id has one
// history in which requests follow each other.
func (l *Load) write(ctx context.Context, w int) {
	rng := rand.New(rand.NewPCG(uint64(w), 7))
	c := l.targets[w%len(l.targets)]
	for ctx.Err() == nil {
		batch := map[string]bool{}
		for range 1 + rng.IntN(l.o.Batch) {
			batch[recordID(w, rng.IntN(l.o.Records))] = true
		}
		op := [...]string{"upsert", "upsert", "update", "add", "delete"}[rng.IntN(5)]
		l.request(ctx, c, op, batch)
		if l.o.Pause > 0 {
			time.Sleep(l.o.Pause)
		}
	}
}

// request sends one request for those ids of the batch for which it makes
// sense and writes their histories.
func (l *Load) request(ctx context.Context, c Collection, op string, batch map[string]bool) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	var records []Record
	var ids []string
	l.mu.Lock()
	sent := l.Now()
	for id := range batch {
		h := l.ids[id]
		if h == nil {
			h = &history{collection: c.Name, states: []state{{}}}
			l.ids[id] = h
		}
		if live := h.last().live(); h.uncertain || live && op == "add" || !live && (op == "update" || op == "delete") {
			continue
		}
		h.version++
		next := state{sent: sent, acked: never}
		if op != "delete" {
			next.version = h.version
			records = append(records, l.record(id, h.version))
		}
		h.states = append(h.states, next)
		ids = append(ids, id)
	}
	l.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	// A request that was sent must come to its end: cut off it might be
	// applied or not.
	err := l.send(context.WithoutCancel(ctx), c, op, ids, records)
	l.mu.Lock()
	defer l.mu.Unlock()
	acked := l.Now()
	for _, id := range ids {
		h := l.ids[id]
		if err != nil {
			h.uncertain = true
			continue
		}
		h.last().acked = acked
	}
	if err != nil {
		if len(l.failures) < 10 {
			l.failures = append(l.failures, err)
		}
		return
	}
	l.requests++
}

func (l *Load) send(ctx context.Context, c Collection, op string, ids []string, records []Record) error {
	switch op {
	case "add":
		return l.client.Add(ctx, c.ID, records)
	case "update":
		return l.client.Update(ctx, c.ID, records)
	case "delete":
		return l.client.Delete(ctx, c.ID, ids)
	}
	return l.client.Upsert(ctx, c.ID, records)
}

// query keeps searching; a collection that has no records yet has nothing to
// search in.
func (l *Load) query(ctx context.Context) {
	for i := 0; ctx.Err() == nil; i++ {
		l.ask(ctx, i)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (l *Load) ask(ctx context.Context, i int) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	c := l.targets[i%len(l.targets)]
	if n, err := l.client.Count(ctx, c.ID); err == nil && n > 0 {
		_, err = l.client.Query(ctx, c.ID, l.record("question", i).Embedding, 5)
		if err != nil && ctx.Err() == nil {
			l.fail(err)
		}
	}
}

// churn creates and deletes collections, so that folders come and are left
// behind, and changes configurations.
func (l *Load) churn(ctx context.Context) {
	for i := 0; ctx.Err() == nil && l.churnOnce(context.WithoutCancel(ctx), i); i++ {
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (l *Load) churnOnce(ctx context.Context, i int) (ok bool) {
	l.gate.RLock()
	defer l.gate.RUnlock()
	const alive = 3
	name := fmt.Sprintf("churn-%d", i)
	life := &lifetime{filled: never, dropped: never}
	l.mu.Lock()
	l.churned[name] = life
	l.mu.Unlock()
	if err := l.fill(ctx, name); err != nil {
		l.fail(err)
		return false
	}
	l.mark(&life.filled)
	if old := i - alive; old >= 0 {
		name := fmt.Sprintf("churn-%d", old)
		l.mu.Lock()
		l.churned[name].dropped = l.Now()
		l.mu.Unlock()
		if err := l.client.Drop(ctx, name); err != nil {
			l.refused(err)
		}
	}
	if err := l.client.Configure(ctx, l.targets[0].ID, 50+i%50); err != nil {
		l.refused(err)
	}
	return true
}

// churnRecords is the number of records of each short-lived collection.
const churnRecords = 12

func (l *Load) fill(ctx context.Context, name string) error {
	c, err := l.client.Create(ctx, CollectionSpec{Name: name, SyncThreshold: 5})
	if err != nil {
		return err
	}
	for n := range churnRecords / 4 {
		var batch []Record
		for i := range 4 {
			batch = append(batch, l.record(fmt.Sprintf("%s-%d", name, 4*n+i), 1))
		}
		if err := l.client.Add(ctx, c.ID, batch); err != nil {
			return err
		}
	}
	return nil
}

func (l *Load) mark(m *Moment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*m = l.Now()
}

// refused counts a request that reads before it writes and met a lock; any
// other failure is a failure.
func (l *Load) refused(err error) {
	if status, ok := errors.AsType[*StatusError](err); ok && status.Status == 500 && containsLocked(status.Body) {
		l.mu.Lock()
		l.conflicts++
		l.mu.Unlock()
		return
	}
	l.fail(err)
}
