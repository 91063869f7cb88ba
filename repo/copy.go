package repo

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// copiedAtOnce is the number of objects that a copy sends side by side.
const copiedAtOnce = 4

// CopyOptions are the optional parts of Copy.
type CopyOptions struct {
	// Journal remembers what is complete of a copy that was cut; nil begins
	// each copy anew.
	Journal CopyJournal
	// Progress is told the bytes that are in the other repository, one call at
	// a time.
	Progress func(done, total int64)
}

// A CopyJournal remembers, over the death of a process, which objects of a copy
// were stored completely.
type CopyJournal interface {
	// Begin opens the journal of the copy of one backup and gives what was
	// noted of the objects that are complete, by key. What was noted for
	// another identity is forgotten.
	Begin(identity string) (map[string]string, error)
	// Complete notes an object, and by which SHA-256 it is known. It may be
	// called from several goroutines.
	Complete(key, sum string) error
	// End forgets everything: the copy is committed, or of no use.
	End() error
}

// Copied tells what a copy did.
type Copied struct {
	Backup Info // as it is in the other repository
	Bytes  int64
	// Reused are bytes that an earlier attempt had stored already.
	Reused int64
}

// Copy puts a committed backup of r, hidden or not, into another repository,
// object by object as it is stored; or, where that has an encryption of its own,
// encrypted as it wants it, for which an encrypted backup must be opened here.
// Every byte is compared with what was recorded on its way: a damaged object is a
// *DamagedError that names it, and nothing is committed. What the backup needs
// must be there already, in the same form, else the error matches ErrRefused; a
// backup of its name that is there matches fs.ErrExist. The caller holds the
// lease of to.
//
// A copy that is cut goes on where it stopped if the bucket and the journal
// remember. A pin is copied, proofs are not: they are about the other bytes.
func (r *Repository) Copy(ctx context.Context, name holdfast.BackupName, to *Repository, o CopyOptions) (Copied, error) {
	fail := func(err error) (Copied, error) {
		return Copied{}, &holdfast.Error{Op: "copy", Object: string(name), Err: err}
	}
	if r.id != to.id {
		return fail(holdfast.Kindf(holdfast.ErrRefused, "%s belongs to another repository (%s, not %s)", to.Location(), to.id, r.id))
	}
	if o.Journal == nil {
		o.Journal = noJournal{}
	}
	info, _, err := r.Known(ctx, name)
	if err == nil {
		err = info.Err
	}
	if err != nil {
		return fail(err)
	}
	form, err := to.copyForm(ctx, info.Metadata)
	if err != nil {
		return fail(err)
	}
	if err := r.sameNeeds(ctx, info.Metadata.Needs, to, form); err != nil {
		return fail(err)
	}
	c := &copying{from: r, to: to, name: name, o: o}
	if form.recode {
		err = c.recode(ctx, form)
	} else {
		err = c.asItIs(ctx)
	}
	if err != nil {
		return fail(err)
	}
	if info.Pinned && info.StateErr == nil {
		if err := to.SetPinned(ctx, name, true); err != nil {
			return fail(err)
		}
	}
	there, _, err := to.Known(ctx, name)
	return Copied{Backup: there, Bytes: c.inv.bytes(), Reused: c.reused.Load()}, err
}

// copying is one run of Copy.
type copying struct {
	from, to *Repository
	name     holdfast.BackupName
	inv      *inventory
	o        CopyOptions

	stage  bucket.Stage
	before map[string]string // complete since an earlier attempt
	done   atomic.Int64
	reused atomic.Int64

	telling sync.Mutex
	told    int64 // of done
}

// asItIs copies the objects as they are stored.
func (c *copying) asItIs(ctx context.Context) (err error) {
	if c.inv, err = c.from.inventory(ctx, c.name); err != nil {
		return err
	}
	// A store that has a limit of its own says so before anything is sent.
	if limited, ok := c.to.b.(interface {
		Fits(ctx context.Context, size int64) error
	}); ok {
		if err := limited.Fits(ctx, c.inv.bytes()); err != nil {
			return err
		}
	}
	return c.run(ctx, func(ctx context.Context) error {
		return c.each(ctx, len(c.inv.objects), func(ctx context.Context, i int) error { return c.object(ctx, c.inv.objects[i]) })
	})
}

// run sends all objects and commits them. What cannot become a copy is removed;
// what was only cut stays for the next attempt.
func (c *copying) run(ctx context.Context, send func(context.Context) error) (err error) {
	if err := c.begin(ctx); err != nil {
		return err
	}
	if err := send(ctx); err != nil {
		if errors.Is(err, holdfast.ErrDamaged) {
			err = errors.Join(err, c.abandon(ctx))
		}
		return err
	}
	// A state left by a delete that was cut must not pin or prove the copy.
	if err := c.to.b.Delete(ctx, stateKey(c.name)); err != nil {
		return err
	}
	if err := c.to.noteRecent(ctx, c.name); err != nil {
		return err
	}
	if err := c.stage.Commit(ctx, c.inv.marker); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, c.abandon(ctx))
		}
		return err
	}
	return c.o.Journal.End()
}

// begin opens the stage, with what an earlier attempt left if that is known to
// be of the same backup.
func (c *copying) begin(ctx context.Context) (err error) {
	if c.before, err = c.o.Journal.Begin(c.inv.identity); err != nil {
		return err
	}
	open := func() error {
		c.stage, err = c.to.b.Stage(ctx, string(c.name), bucket.StageOptions{Marker: holdfast.MetadataFile, Resume: true})
		return err
	}
	if err := open(); err != nil || len(c.before) > 0 {
		return err
	}
	// Whatever is there, nobody knows what it is.
	if err := c.stage.Abort(ctx); err != nil {
		return err
	}
	return open()
}

// abandon removes what was stored so far.
func (c *copying) abandon(ctx context.Context) error {
	return errors.Join(c.stage.Abort(context.WithoutCancel(ctx)), c.o.Journal.End())
}

// each does something for each of n objects, some of them side by side.
func (c *copying) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(copiedAtOnce)
	for i := range n {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error { return do(gctx, i) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// object puts one object into the stage, unless it is there.
func (c *copying) object(ctx context.Context, obj storedObject) error {
	size, err := c.isThere(ctx, obj.key, c.before[obj.key] == obj.sum, obj.sum)
	if err != nil {
		return err
	}
	if size == obj.size {
		c.reused.Add(obj.size)
		c.advance(obj.size)
		return nil
	}
	if err := c.stream(ctx, obj); err != nil {
		return err
	}
	return c.o.Journal.Complete(obj.key, obj.sum)
}

// isThere gives the size of an object of this sum that an earlier attempt noted as
// stored; -1 if it is not there. In a directory a power cut may have taken what
// was not yet synced, so it is read again; an object that a service took is
// durable.
func (c *copying) isThere(ctx context.Context, key string, noted bool, sum string) (int64, error) {
	const not = -1
	if !noted {
		return not, nil
	}
	staged, err := c.stage.Open(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return not, nil
	}
	if err != nil {
		return not, err
	}
	defer staged.Close()
	if remote, ok := c.to.b.(interface{ Remote() bool }); ok && remote.Remote() {
		return staged.Size(), nil
	}
	if got, err := sumObject(ctx, staged, nil); err != nil || got != sum {
		return not, context.Cause(ctx)
	}
	return staged.Size(), nil
}

func (c *copying) advance(n int64) {
	done := c.done.Add(n)
	if c.o.Progress == nil || n == 0 {
		return
	}
	c.telling.Lock()
	defer c.telling.Unlock()
	if done > c.told {
		c.told = done
		c.o.Progress(done, c.inv.bytes())
	}
}

// noJournal remembers nothing.
type noJournal struct{}

func (noJournal) Begin(string) (map[string]string, error) { return nil, nil }
func (noJournal) Complete(string, string) error           { return nil }
func (noJournal) End() error                              { return nil }
