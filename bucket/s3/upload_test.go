package s3_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// heap is what this process has in use.
func heap() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

func TestWriter_MemoryDoesNotDependOnTheSize(t *testing.T) {
	server := s3test.Start(t)
	b := open(t, server.URL(server.NewBucket(t), "repo"))
	runtime.GC()
	before, peak := heap(), uint64(0)
	w, err := b.Create(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	const size = 256 << 20
	chunk := make([]byte, 1<<20)
	_, _ = rand.NewChaCha8([32]byte{3}).Read(chunk)
	for range size / len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, heap())
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if used := int64(peak) - int64(before); used > 64<<20 {
		t.Errorf("writing %d MiB took %d MiB of memory", size>>20, used>>20)
	}
	o, err := b.Open(t.Context(), "large")
	if err != nil || o.Size() != size {
		t.Fatalf("it has %d bytes (%v)", o.Size(), err)
	}
	runtime.GC()
	before, peak = heap(), 0
	buf := make([]byte, 64<<10)
	for off := int64(0); off < 64<<20; off += int64(len(buf)) {
		if _, err := o.ReadAt(buf, off); err != nil {
			t.Fatal(err)
		}
		peak = max(peak, heap())
	}
	if used := int64(peak) - int64(before); used > 32<<20 {
		t.Errorf("reading took %d MiB of memory", used>>20)
	}
	if err := o.Close(); err != nil {
		t.Error(err)
	}
}

// Uploads that were cut are given up by Clean, and only those.
func TestBucket_CleanGivesUpDeadUploads(t *testing.T) {
	server := s3test.Start(t)
	name := server.NewBucket(t)
	c := server.Client(t)
	for _, key := range []string{"repo/tree/a", "repo/b", "repository/c"} {
		if _, err := c.NewMultipartUpload(t.Context(), name, key, minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	b := open(t, server.URL(name, "repo"))
	w, err := b.Create(t.Context(), "mine")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 9<<20)); err != nil {
		t.Fatal(err)
	}
	removed, err := b.Clean(t.Context())
	if want := "[upload of b upload of tree/a]"; err != nil || fmt.Sprint(removed) != want {
		t.Errorf("Clean told %v (%v), want %s", removed, err, want)
	}
	if err := w.Close(); err != nil {
		t.Errorf("an upload that is under way was given up: %v", err)
	}
	left, err := c.ListMultipartUploads(t.Context(), name, "", "", "", "", 10)
	if err != nil || len(left.Uploads) != 1 || left.Uploads[0].Key != "repository/c" {
		t.Errorf("left are %v (%v), want only that of somebody else", left.Uploads, err)
	}
}

func TestBucket_ResumableStagesWaitAWeek(t *testing.T) {
	server := s3test.Start(t)
	name := server.NewBucket(t)
	c := &clock{}
	c.jump(-365 * 24 * time.Hour) // the service's clock counts, not this one
	b := open(t, server.URL(name, "repo"), func(o *s3.Options) { o.Now = c.now })
	if _, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: marker, Resume: true}); err != nil {
		t.Fatal(err)
	}
	entry := ""
	for info := range server.Client(t).ListObjectsIter(t.Context(), name, minio.ListObjectsOptions{Prefix: "repo/.holdfast/stages/", Recursive: true}) {
		entry = info.Key
	}
	for _, tt := range []struct {
		age  time.Duration
		want int
	}{{0, 0}, {6 * 24 * time.Hour, 0}, {25 * time.Hour, 1}, {0, 0}} {
		if tt.age > 0 {
			server.Age(t, name, entry, tt.age)
		}
		removed, err := b.Clean(t.Context())
		if err != nil || len(removed) != tt.want {
			t.Errorf("another %v older, Clean removed %q (%v), want %d", tt.age, removed, err, tt.want)
		}
	}
}

func TestBucket_ObjectLockKeepsTreesUntilItsTime(t *testing.T) {
	server := s3test.Start(t)
	for _, mode := range []s3.LockMode{s3.Governance, s3.Compliance} {
		t.Run(string(mode), func(t *testing.T) {
			name := server.NewLockBucket(t)
			b := open(t, server.URL(name, "repo", "object_lock="+string(mode)+":3d"))
			if err := commitTree(t, b, "tree", bucket.StageOptions{Marker: marker}); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"a", marker} {
				info, err := server.Client(t).StatObject(t.Context(), name, "repo/tree/"+key, minio.StatObjectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				got := info.Metadata.Get("X-Amz-Object-Lock-Mode")
				until, err := time.Parse(time.RFC3339, info.Metadata.Get("X-Amz-Object-Lock-Retain-Until-Date"))
				if !strings.EqualFold(got, string(mode)) || err != nil || time.Until(until) < 71*time.Hour || time.Until(until) > 73*time.Hour {
					t.Errorf("%s is locked by %q until %v (%v)", key, got, until, err)
				}
			}
			for what, err := range map[string]error{
				"RemoveTree": b.RemoveTree(t.Context(), "tree", marker),
				"Delete":     b.Delete(t.Context(), "tree/a"),
			} {
				if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(err.Error(), "locked until") || holdfast.HintOf(err) == "" {
					t.Errorf("%s gave %v (hint %q)", what, err, holdfast.HintOf(err))
				}
			}
			checkTree(t, b, "tree")
		})
	}
}

// What belongs to a tree has the storage class that was asked for; what is read
// all the time has not.
func TestBucket_StorageClassIsPassedOn(t *testing.T) {
	server := s3test.Start(t)
	proxy := s3test.NewProxy(t, server)
	var mu sync.Mutex
	classes := map[string]string{}
	proxy.Inject(s3test.Rule{When: func(r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut {
			classes[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]] = r.Header.Get("X-Amz-Storage-Class")
		}
		return false
	}})
	b := open(t, s3test.URL(proxy.Addr(), server.NewBucket(t), "repo", "storage_class=STANDARD_IA"))
	if err := commitTree(t, b, "tree", bucket.StageOptions{Marker: marker}); err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), "small", nil, bucket.Replace); err != nil {
		t.Fatal(err)
	}
	if classes["a"] != "STANDARD_IA" || classes["b"] != "STANDARD_IA" || classes[marker] != "" || classes["small"] != "" {
		t.Errorf("the classes are %q", classes)
	}
}
