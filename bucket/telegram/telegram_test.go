package telegram

import (
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
)

func TestBucket(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket { return open(t, newChat().stateless(t)) })
}

// A chat where every message is too old to be deleted promises the same.
func TestBucket_WhereNothingCanBeDeleted(t *testing.T) {
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		c := newChat()
		o := c.stateless(t)
		o.Client = undeletable{c}
		return open(t, o)
	})
}

func TestBucket_Fencing(t *testing.T) {
	buckettest.RunFencing(t, func(t *testing.T) (bucket.Bucket, func()) {
		c := newChat()
		o := c.stateless(t)
		o.LeaseTTL, o.Now = time.Second, nil
		other := open(t, o)
		return open(t, o), func() {
			must(t, other.change(t.Context(), nil, func(x *index) error {
				x.Lease = nil
				return nil
			}))
		}
	})
}
