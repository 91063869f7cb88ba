package chroma

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/sqlite"
)

// A pace bounds what a capture waits for.
type pace struct {
	rounds    int           // tries before writers are kept out
	patience  time.Duration // for all folders to rest, in one round
	untouched time.Duration // after which a folder that looks unfinished counts as it is
	exclusive time.Duration // writers are kept out for no longer than this
	pause     time.Duration // between two looks at folders that do not rest
}

// defaultPace leaves room below the 30 s after which a server runs out of
// connections and begins to refuse requests.
var defaultPace = pace{
	rounds:    8,
	patience:  5 * time.Second,
	untouched: 2 * time.Second,
	exclusive: 10 * time.Second,
	pause:     5 * time.Millisecond,
}

// A capture is one run of the protocol in DESIGN.md.
type capture struct {
	*Source
	dir  string // links followed
	live *sqlite.Live
	sink holdfast.Sink

	entry    holdfast.Entry      // of the database
	database holdfast.FileWriter // nil as long as the database of the last backup may do
	last     string              // the stamp under which that was taken over
	stamp    string              // of the database that was captured
	written  bool                // the database has content that a further pass replaces
	draft    *sqlite.Draft       // that content, if it was copied ahead of any lock
	current  bool                // the draft proved to be the database
	folders  map[string]*folder
	segments []segment // as the latest transaction saw them
	lost     bool      // the database no longer knows its tables
	corrupt  bool      // the database could not tell the segments
	rounds   int
	kept     bool // writers had to be kept out
}

// Capture implements holdfast.Source.
func (s *Source) Capture(ctx context.Context, sink holdfast.Sink) (_ holdfast.Captured, err error) {
	live, dir, err := s.open(ctx, sqlite.LiveOptions{})
	if err != nil {
		return holdfast.Captured{}, err
	}
	defer closing(live, &err)
	c := &capture{Source: s, dir: dir, live: live, sink: sink, folders: map[string]*folder{}}
	if err := c.run(ctx); err != nil {
		if c.database != nil {
			err = errors.Join(err, c.database.Discard())
		}
		if _, ok := errors.AsType[*holdfast.Error](err); ok || ctx.Err() != nil {
			return holdfast.Captured{}, err
		}
		return holdfast.Captured{}, &holdfast.Error{Op: "capture", Object: s.dir, Err: err, Hint: permissionHint(err)}
	}
	return c.result()
}

// run captures in rounds: folders first, then the moment that decides. Every
// round copies only what has changed since the one before.
func (c *capture) run(ctx context.Context) error {
	if err := c.look(ctx); err != nil {
		return err
	}
	info, err := os.Stat(c.dir)
	if err != nil {
		return err
	}
	// A server that runs as another user needs the directory's own mode.
	if err := c.sink.Add(holdfast.Entry{Path: ".", Mode: info.Mode(), ModTime: info.ModTime()}); err != nil {
		return err
	}
	if info, err = os.Stat(c.live.Path()); err != nil {
		return err
	}
	c.entry = holdfast.Entry{Path: databaseFile, Mode: info.Mode(), ModTime: info.ModTime(), Size: info.Size()}
	c.last = sqlite.Peek(c.live.Path())
	reused, err := c.sink.Reuse(c.entry, c.last)
	if err != nil {
		return err
	}
	if !reused {
		if err := c.ahead(ctx); err != nil {
			return err
		}
	}
	for c.rounds < c.pace.rounds {
		c.rounds++
		quiet, err := c.settle(ctx, c.pace.patience)
		if err != nil {
			return err
		}
		if !quiet {
			break
		}
		if done, err := c.snapshot(ctx); err != nil || done {
			return errors.Join(err, c.finish(err))
		}
		if c.database == nil && c.last == "" {
			if err := c.ahead(ctx); err != nil {
				return err
			}
		}
	}
	err = c.exclusive(ctx)
	return errors.Join(err, c.finish(err))
}

// ahead copies the database before the moment that decides. The long read comes
// first, so that the folders are fresh then, and little is left to be done.
func (c *capture) ahead(ctx context.Context) (err error) {
	if c.database, err = c.sink.Create(c.entry); err != nil {
		return err
	}
	c.draft, err = c.live.CopyAhead(ctx, c.database)
	c.written = c.draft != nil
	return err
}

// look makes sure that this is Chroma's directory and learns its folders, in
// a transaction of a moment.
func (c *capture) look(ctx context.Context) error {
	return c.within(c.live.Begin(ctx), func() error {
		err := checkTables(ctx, c.live.Conn(), c.dir)
		if c.lost = isCorrupt(err); err != nil && !c.lost {
			return err
		}
		return c.readSegments(ctx)
	})
}

// within runs f in the transaction that has just begun, and ends it.
func (c *capture) within(begun error, f func() error) error {
	if begun != nil {
		return begun
	}
	return errors.Join(f(), c.live.End())
}

// readSegments learns, inside a transaction, which folders count.
func (c *capture) readSegments(ctx context.Context) error {
	all, err := readSegments(ctx, c.live.Conn())
	if c.corrupt = c.lost || isCorrupt(err); c.corrupt {
		// What is left of the directory is all the more worth keeping.
		all, err = everyFolder(c.dir)
	}
	if err != nil {
		return &holdfast.Error{Op: "read", Object: c.live.Path(), Err: err}
	}
	c.take(all)
	return nil
}

// take makes the folders of segments those that count.
func (c *capture) take(all []segment) {
	c.segments = all
	for _, g := range all {
		if c.folders[g.id] == nil && g.isFolderName() {
			c.folders[g.id] = &folder{segment: g, dir: filepath.Join(c.dir, g.id), files: map[string]look{}}
		}
	}
}

// named gives the folders of the segments that the latest transaction saw.
func (c *capture) named() []*folder {
	var out []*folder
	for _, g := range c.segments {
		if f := c.folders[g.id]; f != nil {
			out = append(out, f)
		}
	}
	return out
}

// settle copies every folder that has changed until, within a bounded time,
// one look at all of them finds every copy true.
func (c *capture) settle(ctx context.Context, limit time.Duration) (bool, error) {
	deadline := time.Now().Add(limit)
	for {
		var seen [settled + 1]int // outcomes of one look at all folders
		for _, f := range c.named() {
			if err := ctx.Err(); err != nil {
				return false, context.Cause(ctx)
			}
			o, err := f.settle(ctx, c.sink, c.pace)
			if err != nil {
				return false, err
			}
			seen[o]++
		}
		late := time.Now().After(deadline)
		switch {
		case seen[restless] == 0 && (late || seen[copied] == 0):
			return true, nil
		case late:
			return false, nil
		case seen[restless] == 0:
			// While some were copied others may have moved on: look again,
			// which costs a few microseconds each.
			continue
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(c.pace.pause):
		}
	}
}

// unchanged tells, inside a transaction, whether every folder is still what
// was copied, those included that have only come into being.
func (c *capture) unchanged() (bool, error) {
	for _, f := range c.named() {
		if same, err := f.unchanged(); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// snapshot is the moment that decides: if no folder has changed since it was
// copied, the database as this transaction sees it belongs to the copies. The
// server writes a folder's log position into the database only after the
// folder is complete.
func (c *capture) snapshot(ctx context.Context) (done bool, err error) {
	err = c.within(c.live.Begin(ctx), func() error {
		if err := c.readSegments(ctx); err != nil {
			return err
		}
		same, err := c.unchanged()
		if err != nil || !same {
			return err
		}
		if c.database == nil && !c.live.Has(c.last) {
			c.last = "" // to be read after all, in the next round
			return nil
		}
		done = true
		return c.copyDatabase(ctx)
	})
	return done && err == nil, err
}

// exclusive is the last resort for a directory that is never quiet: writers
// are kept out, so that a persist at work comes to its end and no other
// begins.
func (c *capture) exclusive(ctx context.Context) error {
	c.kept = true
	return c.within(c.live.BeginImmediate(ctx), func() error {
		if err := c.readSegments(ctx); err != nil {
			return err
		}
		quiet, err := c.settle(ctx, c.pace.exclusive)
		if err != nil {
			return err
		}
		if !quiet {
			return c.restless()
		}
		return c.copyDatabase(ctx)
	})
}

// restless tells which folder keeps changing although no server can be writing
// it: nothing that belongs together can be had.
func (c *capture) restless() error {
	for _, f := range c.named() {
		if f.known {
			continue
		}
		return &holdfast.Error{
			Op: "capture", Object: c.Source.dir,
			Err:  holdfast.Kindf(holdfast.ErrLocked, "the index of %s kept changing for %v while writers were kept out", f.object(), c.pace.exclusive),
			Hint: "something other than a Chroma server writes there (a copy, a synchronisation, an import); let it finish, then try again",
		}
	}
	return &holdfast.Error{
		Op: "capture", Object: c.Source.dir,
		Err:  holdfast.Kindf(holdfast.ErrLocked, "its index folders never stayed as they were for %v", c.pace.exclusive),
		Hint: "try again when less is written",
	}
}

// copyDatabase writes the database as the present transaction sees it, unless
// that is what was written or taken over before.
func (c *capture) copyDatabase(ctx context.Context) (err error) {
	if c.database == nil {
		if c.live.Has(c.last) {
			return nil
		}
		if c.database, err = c.sink.Create(c.entry); err != nil {
			return err
		}
	}
	if c.current, err = c.live.IsCurrent(c.draft); err != nil {
		return err
	}
	if !c.current {
		if c.written {
			if err := c.database.Reset(); err != nil {
				return err
			}
		}
		c.written, c.draft = true, nil
		if err := c.live.Copy(ctx, c.database, nil); err != nil {
			return err
		}
	}
	c.stamp = c.live.Stamp()
	return nil
}

// finish completes the files when no lock is held any more.
func (c *capture) finish(err error) error {
	if err != nil {
		return nil
	}
	if c.database != nil {
		c.database.Stamp(c.stamp)
		if err := c.database.Close(); err != nil {
			return err
		}
	}
	named := c.named()
	for _, id := range slices.Sorted(maps.Keys(c.folders)) {
		f := c.folders[id]
		if err := f.tidy(c.sink, slices.Contains(named, f)); err != nil {
			return err
		}
	}
	return nil
}
