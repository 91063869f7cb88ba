package s3_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

var me = holdfast.Owner{Host: "here", PID: 1, Purpose: "a test"}

const leaseKey = "repo/.holdfast/lease.json"

// clock is a wall clock that can be set.
type clock struct{ off atomic.Int64 }

func (c *clock) now() time.Time       { return time.Now().Add(time.Duration(c.off.Load())) }
func (c *clock) jump(d time.Duration) { c.off.Add(int64(d)) }

// leaseOf reads the lease as it lies in the bucket.
func leaseOf(t *testing.T, c *minio.Core, name string) map[string]any {
	t.Helper()
	body, _, _, err := c.GetObject(t.Context(), name, leaseKey, minio.GetObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(body)
	if err := errors.Join(err, body.Close()); err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return doc
}

// putLease writes a lease as somebody else would.
func putLease(t *testing.T, c *minio.Core, name, doc string) {
	t.Helper()
	putObject(t, c, name, leaseKey, doc)
}

func putObject(t *testing.T, c *minio.Core, name, key, data string) {
	t.Helper()
	if _, err := c.PutObject(t.Context(), name, key, strings.NewReader(data), int64(len(data)), "", "", minio.PutObjectOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestLock_ADeadOwnersLeaseRunsOut(t *testing.T) {
	server := s3test.Start(t)
	for name, old := range map[string]string{
		"seen unchanged for long":   `{"owner":{"host":"there","pid":7},"token":"x","generation":4,"ttl_seconds":1}`,
		"though nobody can read it": `{torn`,
		"at once if given back":     `{"token":"x","generation":4,"ttl_seconds":3600,"ended":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			bucketName := server.NewBucket(t)
			putLease(t, server.Client(t), bucketName, old)
			b := open(t, server.URL(bucketName, "repo"), func(o *s3.Options) { o.LeaseTTL = time.Second })
			deadline := time.Now().Add(20 * time.Second)
			lease, err := b.Lock(t.Context(), me)
			for err != nil && time.Now().Before(deadline) {
				if !errors.Is(err, holdfast.ErrLocked) {
					t.Fatal(err)
				}
				time.Sleep(50 * time.Millisecond)
				lease, err = b.Lock(t.Context(), me)
			}
			if err != nil {
				t.Fatal(err)
			}
			doc := leaseOf(t, server.Client(t), bucketName)
			if doc["owner"].(map[string]any)["purpose"] != "a test" || strings.Contains(old, ":4") && doc["generation"].(float64) != 5 {
				t.Errorf("the lease says %v", doc)
			}
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}

// The service's own clock tells how old a lease is, so a first look is enough.
func TestLock_TheServicesClockCounts(t *testing.T) {
	server := s3test.Start(t)
	name := server.NewBucket(t)
	putLease(t, server.Client(t), name, `{"owner":{"host":"there","pid":7},"token":"x","ttl_seconds":60}`)
	_, err := open(t, server.URL(name, "repo")).Lock(t.Context(), me)
	locked, ok := errors.AsType[*holdfast.LockedError](err)
	if !ok || locked.Owner.PID != 7 || !strings.Contains(holdfast.HintOf(err), "runs out in") {
		t.Fatalf("got %v (hint %q), want the owner and the time", err, holdfast.HintOf(err))
	}
	server.Age(t, name, leaseKey, time.Minute+3*time.Second)
	for _, off := range []time.Duration{0, 25 * time.Hour, -25 * time.Hour} {
		c := &clock{}
		c.jump(off)
		b := open(t, server.URL(name, "repo"), func(o *s3.Options) { o.Now = c.now })
		lease, err := b.Lock(t.Context(), me)
		if err != nil {
			t.Fatalf("with a clock off by %v: %v", off, err)
		}
		// It lives: nobody else can have it, whatever their clock says.
		if _, err := open(t, server.URL(name, "repo")).Lock(t.Context(), me); !errors.Is(err, holdfast.ErrLocked) {
			t.Errorf("with a clock off by %v a living lease was taken: %v", off, err)
		}
		if err := lease.Release(); err != nil {
			t.Error(err)
		}
	}
}

func TestLease_IsRenewedAndOutlivesAClockThatIsSet(t *testing.T) {
	server := s3test.Start(t)
	name := server.NewBucket(t)
	c := &clock{}
	b := open(t, server.URL(name, "repo"), func(o *s3.Options) { o.LeaseTTL, o.Now = 1500*time.Millisecond, c.now })
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	for _, jump := range []time.Duration{0, time.Hour, -24 * time.Hour, 25 * time.Hour} {
		c.jump(jump)
		before := leaseOf(t, server.Client(t), name)["renewal"].(float64)
		for leaseOf(t, server.Client(t), name)["renewal"].(float64) < before+1 { // the test's own deadline is the limit
			if err := b.Put(t.Context(), "a", nil, bucket.Replace); err != nil {
				t.Fatalf("after %v: %v", jump, err)
			}
		}
	}
	select {
	case <-lease.Lost():
		t.Error("the lease was lost, though nobody took it")
	default:
	}
	if err := lease.Release(); err != nil {
		t.Fatal(err)
	}
	if doc := leaseOf(t, server.Client(t), name); doc["ended"] != true {
		t.Errorf("after the release the lease says %v", doc)
	}
}

// A writer that slept through the end of its lease cannot commit, whatever the
// new owner has done since: its reservation is not there any more.
func TestStage_CannotBeCommittedAfterATakeover(t *testing.T) {
	server := s3test.Start(t)
	for name, clean := range map[string]bool{"that cleaned": true, "that did nothing yet": false} {
		for kind, resume := range map[string]bool{"plain": false, "resumable": true} {
			t.Run(kind+"/"+name, func(t *testing.T) {
				url := server.URL(server.NewBucket(t), "repo")
				// The sleeper believes in its lease: only the service can stop it.
				sleeper := open(t, url, func(o *s3.Options) { o.LeaseTTL = time.Hour })
				if _, err := sleeper.Lock(t.Context(), me); err != nil {
					t.Fatal(err)
				}
				s, err := sleeper.Stage(t.Context(), "tree", bucket.StageOptions{Marker: marker, Resume: resume})
				if err != nil {
					t.Fatal(err)
				}
				w, err := s.Create(t.Context(), "a")
				if err := errors.Join(err, w.Close()); err != nil {
					t.Fatal(err)
				}
				server.Age(t, strings.Split(url, "/")[2], leaseKey, 2*time.Hour)
				next := open(t, url)
				lease, err := next.Lock(t.Context(), me)
				if err != nil {
					t.Fatal(err)
				}
				defer lease.Release()
				if clean {
					if _, err := next.Clean(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Commit(t.Context(), []byte("{}")); !errors.Is(err, holdfast.ErrLocked) {
					t.Errorf("the sleeper's commit gave %v, want %v", err, holdfast.ErrLocked)
				}
				for info, err := range next.List(t.Context(), "") {
					t.Errorf("visible: %s (%v)", info.Key, err)
				}
			})
		}
	}
}

func TestBucket_Fencing(t *testing.T) {
	server := s3test.Start(t)
	buckettest.RunFencing(t, func(t *testing.T) (bucket.Bucket, func()) {
		name := server.NewBucket(t)
		c := &clock{}
		b := open(t, server.URL(name, "repo"), func(o *s3.Options) { o.LeaseTTL, o.Now = 3*time.Second, c.now })
		return b, func() {
			// While the machine slept somebody took the lease and gave it back.
			c.jump(time.Hour)
			putLease(t, server.Client(t), name, `{"token":"another","ttl_seconds":60,"ended":true}`)
		}
	})
}
