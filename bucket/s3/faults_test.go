package s3_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/s3"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// The whole suite, while every request may meet any fault.
func TestBucket_RandomFaultsChangeNothing(t *testing.T) {
	server := s3test.Start(t)
	proxy := s3test.NewProxy(t, server)
	seed := rand.Uint64()
	proxy.Random(seed, 0.03)
	buckettest.Run(t, func(t *testing.T) bucket.Bucket {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("seed %d", seed)
			}
		})
		return open(t, s3test.URL(proxy.Addr(), server.NewBucket(t), "repo"))
	})
	if met := proxy.Met(); len(met) < 5 {
		t.Errorf("only these faults were met: %v", met)
	}
}

// proxied gives a bucket behind a proxy of its own, and the name of the bucket.
func proxied(t *testing.T, server *s3test.Server, change ...func(*s3.Options)) (*s3.Bucket, *s3test.Proxy, string) {
	t.Helper()
	proxy, name := s3test.NewProxy(t, server), server.NewBucket(t)
	return open(t, s3test.URL(proxy.Addr(), name, "repo"), change...), proxy, name
}

// Each fault, at each request of a commit: the tree is there in the end, and
// whole.
func TestStage_CommitSurvivesEveryFault(t *testing.T) {
	server := s3test.Start(t)
	for name, fault := range s3test.Survivable() {
		t.Run(name, func(t *testing.T) {
			b, proxy, _ := proxied(t, server)
			for n := 0; ; n++ {
				count, hit := 0, false
				proxy.Heal()
				proxy.Inject(s3test.Rule{
					When:  func(*http.Request) bool { count++; hit = hit || count == n+1; return count == n+1 },
					Fault: fault,
				})
				tree := fmt.Sprint("tree", n)
				if err := commitTree(t, b, tree, bucket.StageOptions{Marker: marker}); err != nil {
					t.Fatalf("request %d: %v", n, err)
				}
				proxy.Heal()
				checkTree(t, b, tree)
				if !hit {
					return
				}
			}
		})
	}
}

func commitTree(t *testing.T, b *s3.Bucket, prefix string, o bucket.StageOptions) error {
	t.Helper()
	s, err := b.Stage(t.Context(), prefix, o)
	if err != nil {
		return err
	}
	for _, key := range []string{"a", "sub/b"} {
		w, err := s.Create(t.Context(), key)
		if err != nil {
			return err
		}
		_, err = io.WriteString(w, strings.Repeat("content of "+key, 500))
		if err = errors.Join(err, w.Close()); err != nil {
			return err
		}
	}
	return s.Commit(t.Context(), []byte("{}"))
}

func checkTree(t *testing.T, b *s3.Bucket, prefix string) {
	t.Helper()
	for key, want := range map[string]string{"a": strings.Repeat("content of a", 500), "sub/b": strings.Repeat("content of sub/b", 500), marker: "{}"} {
		o, err := b.Open(t.Context(), prefix+"/"+key)
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
		if err := errors.Join(err, o.Close()); err != nil || string(data) != want {
			t.Errorf("%s/%s holds %d bytes, want %d (%v)", prefix, key, len(data), len(want), err)
		}
	}
}

// A service that fails for longer than the deadline: the commit fails, nothing
// is visible, and the next run goes on where this one stopped.
func TestStage_AnOutageIsTakenUpAfterwards(t *testing.T) {
	server := s3test.Start(t)
	for name, method := range map[string]string{"of all writing": http.MethodPut, "of all reading": http.MethodGet} {
		t.Run(name, func(t *testing.T) {
			b, proxy, name := proxied(t, server, func(o *s3.Options) { o.Deadline = 2 * time.Second })
			s, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: marker, Resume: true})
			if err != nil {
				t.Fatal(err)
			}
			w, err := s.Create(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(w, strings.Repeat("content of a", 500))
			if err := errors.Join(err, w.Close()); err != nil {
				t.Fatal(err)
			}
			proxy.Inject(s3test.Rule{When: func(r *http.Request) bool { return r.Method == method }, Fault: s3test.Refuse(http.StatusServiceUnavailable)})
			if err := s.Commit(t.Context(), []byte("{}")); err == nil || holdfast.HintOf(err) == "" {
				t.Fatalf("the commit gave %v (hint %q)", err, holdfast.HintOf(err))
			}
			proxy.Heal()
			next := open(t, server.URL(name, "repo"))
			for info, err := range next.List(t.Context(), "") {
				t.Errorf("visible: %s (%v)", info.Key, err)
			}
			again, err := next.Stage(t.Context(), "tree", bucket.StageOptions{Marker: marker, Resume: true})
			if err != nil {
				t.Fatal(err)
			}
			if o, err := again.Open(t.Context(), "a"); err != nil || o.Size() != 6000 {
				t.Errorf("the next run does not find what was sent: %v", err)
			}
			w, err = again.Create(t.Context(), "sub/b")
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.WriteString(w, strings.Repeat("content of sub/b", 500))
			if err := errors.Join(err, w.Close(), again.Commit(t.Context(), []byte("{}"))); err != nil {
				t.Fatal(err)
			}
			checkTree(t, next, "tree")
		})
	}
}

func TestObject_CutReadsGoOn(t *testing.T) {
	server := s3test.Start(t)
	b, proxy, _ := proxied(t, server)
	data := make([]byte, 3<<20)
	_, _ = rand.NewChaCha8([32]byte{2}).Read(data)
	w, err := b.Create(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	for _, chunk := range []int{10_000, 1 << 20, len(data)} {
		proxy.Heal()
		proxy.Inject(s3test.Rule{When: s3test.Is(http.MethodGet, "/large"), Fault: s3test.CutAnswer(200_000), Times: 6})
		o, err := b.Open(t.Context(), "large")
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 0, len(data))
		for len(got) < len(data) {
			n, err := o.ReadAt(got[len(got):min(len(got)+chunk, len(data))], int64(len(got)))
			if err != nil {
				t.Fatal(err)
			}
			got = got[:len(got)+n]
		}
		if !bytes.Equal(got, data) {
			t.Errorf("in pieces of %d it reads as other bytes", chunk)
		}
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Somebody else replaces or removes an object that is being read: the reader is
// told, and never gets bytes of two versions.
func TestObject_AnotherVersionIsNeverMixedIn(t *testing.T) {
	server := s3test.Start(t)
	url := server.URL(server.NewBucket(t), "")
	reader, other := open(t, url), open(t, url)
	put := func(fill byte) {
		w, err := other.Create(t.Context(), "large")
		if err != nil {
			t.Fatal(err)
		}
		_, err = w.Write(bytes.Repeat([]byte{fill}, 2<<20))
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
	}
	put('a')
	o, err := reader.Open(t.Context(), "large")
	if err != nil {
		t.Fatal(err)
	}
	put('b')
	if _, err := o.ReadAt(make([]byte, 10), 1<<20); err == nil || !strings.Contains(err.Error(), "replaced") {
		t.Errorf("reading a replaced object gave %v", err)
	}
	if o, err = reader.Open(t.Context(), "large"); err != nil {
		t.Fatal(err)
	}
	if err := other.Delete(t.Context(), "large"); err != nil {
		t.Fatal(err)
	}
	if _, err := o.ReadAt(make([]byte, 10), 1<<20); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a removed object gave %v", err)
	}
}

// Listings that tell what was true a while ago: nothing that is visible by its
// marker is half, and what was committed stays.
func TestStage_LateListingsHarmNothing(t *testing.T) {
	server := s3test.Start(t)
	b, proxy, name := proxied(t, server)
	proxy.Inject(s3test.Rule{When: s3test.IsList, Fault: s3test.StaleList(time.Hour)})
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	for range b.List(t.Context(), "") { // remembered as empty
	}
	for _, tree := range []string{"one", "two", "three"} {
		if err := commitTree(t, b, tree, bucket.StageOptions{Marker: marker}); err != nil {
			t.Fatal(err)
		}
		if err := commitTree(t, b, tree, bucket.StageOptions{Marker: marker}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("committing %s again gave %v", tree, err)
		}
		checkTree(t, b, tree)
	}
	if _, err := b.Clean(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.RemoveTree(t.Context(), "two", marker), lease.Release()); err != nil {
		t.Fatal(err)
	}
	proxy.Heal()
	fresh := open(t, server.URL(name, "repo"))
	checkTree(t, fresh, "one")
	checkTree(t, fresh, "three")
	if _, err := fresh.Open(t.Context(), "two/"+marker); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the removed tree still has its marker: %v", err)
	}
}

// The request that commits hangs somewhere in the network until the lease is
// over and another has it: the service refuses it when it arrives at last.
func TestStage_ACommitThatArrivesTooLateIsRefused(t *testing.T) {
	server := s3test.Start(t)
	b, proxy, name := proxied(t, server, func(o *s3.Options) { o.LeaseTTL = time.Second })
	lease, err := b.Lock(t.Context(), me)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: marker})
	if err != nil {
		t.Fatal(err)
	}
	held, until, arrived := make(chan struct{}, 10), make(chan struct{}), make(chan int, 10)
	proxy.Inject(
		s3test.Rule{When: s3test.Is(http.MethodPut, "/tree/"+marker), Fault: s3test.Hold(held, until, arrived)},
		s3test.Rule{When: s3test.Is(http.MethodPut, "/lease.json"), Fault: s3test.Refuse(http.StatusServiceUnavailable)},
	)
	committed := make(chan error)
	go func() { committed <- s.Commit(t.Context(), []byte("{}")) }()
	<-held
	if err := <-committed; !errors.Is(err, holdfast.ErrLocked) {
		t.Errorf("the commit gave %v, want %v", err, holdfast.ErrLocked)
	}
	<-lease.Lost()
	next := open(t, server.URL(name, "repo"))
	for {
		lease, err := next.Lock(t.Context(), me) // the test's own deadline is the limit
		if err == nil {
			defer lease.Release()
			break
		}
		if !errors.Is(err, holdfast.ErrLocked) {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
	}
	close(until)
	if status := <-arrived; status != http.StatusPreconditionFailed {
		t.Errorf("the late request was answered with %d, want %d", status, http.StatusPreconditionFailed)
	}
	for info, err := range next.List(t.Context(), "") {
		t.Errorf("visible: %s (%v)", info.Key, err)
	}
}

// A service that ignores conditions is refused, unless there is only one writer.
func TestLock_NeedsConditionalWrites(t *testing.T) {
	server := s3test.Start(t)
	for _, header := range []string{"If-None-Match", "If-Match"} {
		t.Run(header, func(t *testing.T) {
			b, proxy, name := proxied(t, server)
			proxy.Inject(s3test.Unconditional(t, server, header))
			_, err := b.Lock(t.Context(), me)
			if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "lease=none") {
				t.Fatalf("got %v (hint %q), want a refusal", err, holdfast.HintOf(err))
			}
			b = open(t, s3test.URL(proxy.Addr(), name, "repo", "lease=none"))
			lease, err := b.Lock(t.Context(), me)
			if err != nil {
				t.Fatal(err)
			}
			if err := commitTree(t, b, "tree", bucket.StageOptions{Marker: marker}); err != nil {
				t.Fatal(err)
			}
			checkTree(t, b, "tree")
			if err := commitTree(t, b, "tree", bucket.StageOptions{Marker: marker}); !errors.Is(err, fs.ErrExist) {
				t.Errorf("committing again gave %v", err)
			}
			if err := lease.Release(); err != nil {
				t.Error(err)
			}
		})
	}
}
