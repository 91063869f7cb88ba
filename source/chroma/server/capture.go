package server

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// workers is how many collections are read side by side.
const workers = 3

// fileMode is that of the captured files.
const fileMode fs.FileMode = 0o600

// A capture is one run of the protocol in DESIGN.md: everything is read, and looked at
// again until two looks in a row saw the same.
type capture struct {
	*Source
	server api.Server
	sink   holdfast.Sink
	began  time.Time
	seed   maphash.Seed
	idle   chan *reader // that have nothing to do

	mu    sync.Mutex
	known map[address]known // of the last look
	bases []api.Database    // of the last look
	moved []holdfast.ChromaMoved
	pass  int

	// How far this look is, and how much the last one read.
	records, bytes, last int64
}

// An address names a collection.
type address struct{ tenant, database, name string }

func addressOf(c api.Collection) address { return address{c.Tenant, c.Database, c.Name} }

// known is what is remembered of a collection.
type known struct {
	id          string
	description string // its digest
	records     span
	dimension   int
	space       string
	lost        []lost
	lostMore    int64
	pass        int // in which it was last seen
}

// lost is a record that could not be read whole: without its embedding, or without some of
// its metadata.
type lost struct {
	id, why   string
	embedding bool
}

// mostLost bounds the records of a collection that are named.
const mostLost = 20

// Capture implements holdfast.Source.
func (s *Source) Capture(ctx context.Context, sink holdfast.Sink) (_ holdfast.Captured, err error) {
	c := &capture{Source: s, sink: sink, began: s.now(), seed: maphash.MakeSeed(), known: map[address]known{}, idle: make(chan *reader, workers)}
	defer func() {
		close(c.idle)
		for r := range c.idle {
			err = errors.Join(err, r.close())
		}
	}()
	if c.server, err = s.api.Hello(ctx); err != nil {
		return holdfast.Captured{}, s.failed(ctx, err)
	}
	for range workers {
		r, err := newReader(c)
		if err != nil {
			return holdfast.Captured{}, &holdfast.Error{Op: "make a temporary file", Err: err, Hint: "TMPDIR names where temporary files are made"}
		}
		c.idle <- r
	}
	consistent, err := c.looks(ctx)
	if err != nil {
		return holdfast.Captured{}, s.failed(ctx, err)
	}
	return c.result(consistent), nil
}

// failed adds to an error which server it is about.
func (s *Source) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if _, named := errors.AsType[*holdfast.Error](err); named {
		return err
	}
	return &holdfast.Error{Op: "capture", Object: s.Target().Path, Err: err}
}

// looks reads everything until two looks saw the same, or it has taken too long.
func (c *capture) looks(ctx context.Context) (consistent bool, err error) {
	var first time.Time // when everything had been read once
	for {
		c.pass++
		if err := c.look(ctx); err != nil {
			return false, err
		}
		switch {
		case c.pass == 1:
			first = c.now()
		case len(c.moved) == 0:
			return true, nil
		case c.pass >= c.o.Rounds, c.now().Sub(first) >= c.o.Window:
			return false, nil
		}
	}
}

// look reads everything once. What the last look saw as it is now stays as it was
// written then.
func (c *capture) look(ctx context.Context) error {
	c.moved, c.last, c.records, c.bytes = nil, c.bytes, 0, 0
	before := c.bases
	var err error
	if c.bases, err = c.databases(ctx); err != nil {
		return err
	}
	if c.pass == 1 || !slices.EqualFunc(before, c.bases, sameDatabase) {
		if c.pass > 1 {
			c.moves(holdfast.ChromaMoved{})
		}
		if err := c.writeServer(); err != nil {
			return err
		}
	}
	if err := c.collections(ctx); err != nil {
		return err
	}
	return c.forget()
}

// moves notes that something was another at the last look.
func (c *capture) moves(m holdfast.ChromaMoved) {
	if c.pass == 1 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved = append(c.moved, m)
}

// collections reads every collection, some side by side.
func (c *capture) collections(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	begun := map[address]bool{} // a page that shifts may list one twice
	for _, base := range c.bases {
		for collection, err := range c.api.Collections(ctx, base.Tenant, base.Name) {
			if errors.Is(err, holdfast.ErrNotFound) && ctx.Err() == nil {
				break // the database has just been deleted: the next look lists it no more
			}
			if err != nil {
				stop(err)
				break
			}
			keys, wanted := c.only.collection(collection)
			if !wanted || begun[addressOf(collection)] {
				continue
			}
			begun[addressOf(collection)] = true
			select {
			case <-ctx.Done():
			case r := <-c.idle:
				group.Go(func() {
					defer func() { c.idle <- r }()
					if err := r.collection(ctx, collection, keys); err != nil {
						stop(fmt.Errorf("collection %s: %w", label(addressOf(collection)), err))
					}
				})
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	group.Wait()
	return context.Cause(ctx)
}

// count tells how far the look is.
func (c *capture) count(records, bytes int) {
	c.mu.Lock()
	c.records += int64(records)
	c.bytes += int64(bytes)
	message, done, total := fmt.Sprintf("look %d, %d records", c.pass, c.records), c.bytes, c.last
	c.mu.Unlock()
	if teller, ok := c.sink.(holdfast.Teller); ok {
		teller.Tell(message, done, total)
	}
}

// forget removes what the last look saw and this one did not.
func (c *capture) forget() error {
	for at, k := range c.known {
		if k.pass == c.pass {
			continue
		}
		delete(c.known, at)
		c.moves(holdfast.ChromaMoved{Tenant: at.tenant, Database: at.database, Collection: at.name, Removed: k.records.n})
		if err := c.remove(at); err != nil {
			return err
		}
	}
	return nil
}

// result tells what was captured.
func (c *capture) result(consistent bool) holdfast.Captured {
	server := &holdfast.ChromaServer{
		API: c.server.API, Version: c.server.Version, Consistency: holdfast.Consistent,
		Began: holdfast.At(c.began), Ended: holdfast.At(c.now()), Passes: c.pass, Partial: c.only != nil,
	}
	facts := &holdfast.ChromaFacts{Server: server, QuickCheck: holdfast.CheckUnchecked, Collections: []holdfast.ChromaCollection{}}
	out := holdfast.Captured{Facts: holdfast.Facts{Chroma: facts}, Method: fmt.Sprintf("by requests, %d passes", c.pass)}
	for _, at := range slices.SortedFunc(maps.Keys(c.known), compareAddresses) {
		k := c.known[at]
		facts.Records += k.records.n
		facts.Collections = append(facts.Collections, holdfast.ChromaCollection{
			ID: k.id, Name: at.name, Tenant: at.tenant, Database: at.database,
			Records: k.records.n, Dimension: k.dimension, Space: k.space,
		})
		out.Problems = append(out.Problems, k.problems(at)...)
	}
	if !consistent {
		server.Consistency, server.Moved = holdfast.Fuzzy, c.tellMoved()
		out.Problems = append(out.Problems, c.fuzzy(server))
	}
	return out
}
