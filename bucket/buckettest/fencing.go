package buckettest

import (
	"io"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// RunFencing holds a bucket to what Lock promises of a lease that was lost.
// open gives a new, empty bucket and a function that takes its lease away, so
// that nobody holds it afterwards.
func RunFencing(t *testing.T, open func(t *testing.T) (b bucket.Bucket, lose func())) {
	for name, wait := range map[string]bool{"as soon as it is lost": false, "after Lost has told": true} {
		t.Run(name, func(t *testing.T) {
			b, lose := open(t)
			fenced(t, b, lose, wait)
		})
	}
}

func fenced(t *testing.T, b bucket.Bucket, lose func(), wait bool) {
	ctx := t.Context()
	put(t, b, "object", "old")
	commit(t, b, "tree", map[string]string{"a": "A"})
	owner := holdfast.Owner{Host: "here", PID: 4711, Purpose: "backup"}
	lease, err := b.Lock(ctx, owner)
	must(t, err)
	s := stage(t, b, "staged", map[string]string{"a": "A"})
	half, err := s.Create(ctx, "half")
	must(t, err)
	other := stage(t, b, "other", map[string]string{"a": "A"})
	w, err := b.Create(ctx, "object")
	must(t, err)
	_, err = io.WriteString(w, "new")
	must(t, err)

	lose()
	if wait {
		<-lease.Lost() // the test's own deadline is the limit
	}
	refused := func(what string, err error) {
		t.Helper()
		is(t, what, err, holdfast.ErrLocked)
	}
	refused("Put", b.Put(ctx, "object", []byte("new"), bucket.Replace))
	refused("Put of a new one", b.Put(ctx, "new", []byte("new"), bucket.IfAbsent))
	refused("Close of a Create", w.Close())
	refused("a whole Create", create(ctx, b, "new", "new"))
	refused("Delete", b.Delete(ctx, "object"))
	refused("RemoveTree", b.RemoveTree(ctx, "tree", marker))
	_, err = b.Clean(ctx)
	refused("Clean", err)
	_, err = b.Stage(ctx, "new", bucket.StageOptions{Marker: marker})
	refused("Stage", err)
	must(t, half.Discard())
	refused("Commit", s.Commit(ctx, nil))
	<-lease.Lost()
	must(t, lease.Release())

	again, err := b.Lock(ctx, owner)
	must(t, err)
	put(t, b, "object", "newer")
	refused("Commit of what was begun before", other.Commit(ctx, nil))
	must(t, s.Abort(ctx))
	must(t, other.Abort(ctx))
	_, err = b.Clean(ctx)
	must(t, err)
	commit(t, b, "staged", map[string]string{"b": "B"})
	lists(t, b, "", "object", "staged/b", "staged/"+marker, "tree/a", "tree/"+marker)
	holds(t, b, "object", "newer")
	must(t, again.Release())
	put(t, b, "object", "without a lease")
}
