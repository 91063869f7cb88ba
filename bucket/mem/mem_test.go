package mem_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/holdfast-backup/holdfast/bucket"
	"github.com/holdfast-backup/holdfast/bucket/buckettest"
	"github.com/holdfast-backup/holdfast/bucket/mem"
)

func TestBucket(t *testing.T) {
	buckettest.Run(t, func(*testing.T) bucket.Bucket { return mem.New() })
}

func TestBucket_Fencing(t *testing.T) {
	buckettest.RunFencing(t, func(*testing.T) (bucket.Bucket, func()) {
		b := mem.New()
		return b, b.Break
	})
}

func TestBucket_ResumableStagesWaitAWeek(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := mem.New()
		if _, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: "m", Resume: true}); err != nil {
			t.Fatal(err)
		}
		for day, want := range []int{0, 0, 0, 0, 0, 0, 0, 1, 0} {
			removed, err := b.Clean(t.Context())
			if err != nil || len(removed) != want {
				t.Errorf("on day %d Clean removed %q (%v)", day, removed, err)
			}
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestBucket_CorruptChangesWhatIsStored(t *testing.T) {
	b := mem.New()
	if err := b.Put(t.Context(), "a", []byte("sound"), bucket.Replace); err != nil {
		t.Fatal(err)
	}
	flip := func(data []byte) []byte { data[0] ^= 1; return data[:3] }
	if err := b.Corrupt("a", flip); err != nil {
		t.Fatal(err)
	}
	o, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(io.NewSectionReader(o, 0, o.Size()))
	if err != nil || string(got) != "rou" {
		t.Errorf("read %q (%v), want rou", got, err)
	}
	if err := b.Corrupt("absent", flip); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an absent object gave %v", err)
	}
}

func TestBucket_InjectedFaultsAreTheOutcome(t *testing.T) {
	b := mem.New()
	b.Inject(func(op, key string) error {
		if op == "write" && strings.HasSuffix(key, "b") {
			return syscall.ENOSPC
		}
		return nil
	})
	s, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: "m"})
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]error{"a": nil, "b": syscall.ENOSPC} {
		w, err := s.Create(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("x")); !errors.Is(err, want) {
			t.Errorf("writing %s gave %v, want %v", key, err, want)
		}
	}
}

func TestBucket_HolesCostNothing(t *testing.T) {
	b := mem.New()
	s, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: "m"})
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Create(t.Context(), "sparse")
	if err != nil {
		t.Fatal(err)
	}
	const hole = 1 << 50
	_, werr := w.Write([]byte("tail"))
	if err := errors.Join(w.Skip(hole), werr, w.Close(), s.Commit(t.Context(), nil)); err != nil {
		t.Fatal(err)
	}
	o, err := b.Open(t.Context(), "tree/sparse")
	if err != nil || o.Size() != hole+4 {
		t.Errorf("size %d (%v), want %d", o.Size(), err, int64(hole+4))
	}
}
