package pickle_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	general "github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"

	"github.com/holdfast-backup/holdfast/source/chroma/disk/internal/pickle"
)

func load(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read collects both maps.
func read(b []byte) (ids map[string]uint64, labels map[uint64]string, index pickle.Index, err error) {
	ids, labels = map[string]uint64{}, map[uint64]string{}
	index, err = pickle.Read(bytes.NewReader(b), pickle.Visitor{
		ID:    func(id string, label uint64) error { ids[id] = label; return nil },
		Label: func(label uint64, id string) error { labels[label] = id; return nil },
	})
	return ids, labels, index, err
}

// persistent takes the state of the Python object, for the general reader.
type persistent struct{ fields map[string]any }

func (p *persistent) PyNew(...any) (any, error) { return p, nil }

func (p *persistent) PyDictSet(key, value any) error {
	p.fields[fmt.Sprint(key)] = value
	return nil
}

// generally reads a pickle with a general reader of another make.
func generally(t testing.TB, b []byte) (ids map[string]uint64, labels map[uint64]string) {
	t.Helper()
	u := general.NewUnpickler(bytes.NewReader(b))
	u.FindClass = func(string, string) (any, error) { return &persistent{map[string]any{}}, nil }
	v, err := u.Load()
	if err != nil {
		t.Fatal(err)
	}
	fields := map[string]any{}
	switch v := v.(type) {
	case *types.Dict:
		for _, e := range *v {
			fields[e.Key.(string)] = e.Value
		}
	case *persistent:
		fields = v.fields
	}
	ids, labels = map[string]uint64{}, map[uint64]string{}
	for _, e := range *fields["id_to_label"].(*types.Dict) {
		ids[e.Key.(string)] = uint64(e.Value.(int))
	}
	for _, e := range *fields["label_to_id"].(*types.Dict) {
		labels[uint64(e.Key.(int))] = e.Value.(string)
	}
	return ids, labels
}

func TestRead_AgreesWithAGeneralReader(t *testing.T) {
	for name, n := range map[string]int{
		"rust.pickle": 20, "plain_dict.pickle": 5, "persistent_one.pickle": 1, "persistent_empty.pickle": 0, "persistent_wide.pickle": 1,
		"persistent_2.pickle": 2500, "persistent_3.pickle": 2500, "persistent_4.pickle": 2500, "persistent_5.pickle": 2500,
	} {
		b := load(t, name)
		ids, labels, index, err := read(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		wantIDs, wantLabels := generally(t, b)
		if len(ids) != n || !maps.Equal(ids, wantIDs) || !maps.Equal(labels, wantLabels) {
			t.Errorf("%s: got %d ids, want %d, or another content", name, len(ids), n)
		}
		if index.IDs != int64(n) || index.Labels != int64(n) || index.Python != strings.HasPrefix(name, "persistent") {
			t.Errorf("%s: %+v", name, index)
		}
	}
}

func TestRead_KeepsTheCounters(t *testing.T) {
	_, _, index, err := read(load(t, "persistent_wide.pickle"))
	if err != nil {
		t.Fatal(err)
	}
	if index.Dimension != 3 || index.Total != 1<<33 || index.MaxSeqID == nil || *index.MaxSeqID != 1<<40 {
		t.Errorf("got %+v", index)
	}
	_, _, index, err = read(load(t, "rust.pickle"))
	if err != nil {
		t.Fatal(err)
	}
	if index.Dimension != 0 || index.Total != 20 || index.MaxSeqID != nil {
		t.Errorf("got %+v", index)
	}
}

func TestRead_RefusesWhatIsNoIndex(t *testing.T) {
	for name, says := range map[string]string{
		"evil.pickle": "dimensionality", "other_class.pickle": "class", "old_protocol.pickle": "protocol",
		"nested.pickle": "dict of name", "swapped.pickle": "label_to_id",
	} {
		if _, _, _, err := read(load(t, name)); !errors.Is(err, pickle.ErrMalformed) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want it to say %q", name, err, says)
		}
	}
	for name, s := range map[string]string{
		"nothing":                 "",
		"only a protocol":         "\x80\x03",
		"a stray stop":            "\x80\x03.",
		"an empty dict":           "\x80\x03}.",
		"a number":                "\x80\x03K\x01.",
		"a protocol of tomorrow":  "\x80\x06}.",
		"a string of exabytes":    "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
		"a string of gigabytes":   "\x80\x03X\xff\xff\xff\x7fabc",
		"a number of 200 bytes":   "\x80\x03\x8a\xc8",
		"an endless name":         "\x80\x02c" + strings.Repeat("x", 4096),
		"marks without end":       "\x80\x03" + strings.Repeat("(", 100_000),
		"a memo from nowhere":     "\x80\x03}(h\x07",
		"a memo with a gap":       "\x80\x03}q\x09.",
		"pairs without a dict":    "\x80\x03(K\x01K\x02u.",
		"an odd number of values": "\x80\x03}(X\x01\x00\x00\x00au.",
		"an object of nothing":    "\x80\x02)\x81.",
		"a state of nothing":      "\x80\x02}b.",
		"text that is not UTF-8":  "\x80\x03}(X\x01\x00\x00\x00\xffNu.",
	} {
		if _, _, _, err := read([]byte(s)); !errors.Is(err, pickle.ErrMalformed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// A few bytes of a forged pickle must not make a long string many.
func TestRead_RefusesToMultiplyAString(t *testing.T) {
	long := "\x80\x04X\x00\x00\x00\x01" + strings.Repeat("a", 16<<20)
	for name, c := range map[string]struct{ forged, want string }{
		"noted again and again":     {long + strings.Repeat("\x94", 40), "twice"},
		"noted, asked for, noted":   {long + strings.Repeat("\x94h\x00", 40), "twice"},
		"asked for again and again": {long + "\x94" + strings.Repeat("h\x00", 40), "held at once"},
	} {
		_, _, _, err := read([]byte(c.forged))
		if !errors.Is(err, pickle.ErrMalformed) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRead_EveryTruncationIsMalformed(t *testing.T) {
	for _, name := range []string{"rust.pickle", "persistent_one.pickle", "persistent_empty.pickle"} {
		b := load(t, name)
		for n := range b {
			if _, _, _, err := read(b[:n]); !errors.Is(err, pickle.ErrMalformed) {
				t.Errorf("%s cut to %d bytes: %v", name, n, err)
			}
		}
	}
}

func TestRead_PassesErrorsOn(t *testing.T) {
	b := load(t, "rust.pickle")
	broken := errors.New("the disk does not answer")
	_, err := pickle.Read(io.MultiReader(bytes.NewReader(b[:200]), iotest.ErrReader(broken)), pickle.Visitor{})
	if !errors.Is(err, broken) || errors.Is(err, pickle.ErrMalformed) {
		t.Errorf("got %v", err)
	}
	enough := errors.New("enough")
	_, err = pickle.Read(bytes.NewReader(b), pickle.Visitor{ID: func(string, uint64) error { return enough }})
	if !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
}

// FuzzRead looks for panics, and holds the reader to the counts it reports.
func FuzzRead(f *testing.F) {
	seeds, err := filepath.Glob("testdata/*.pickle")
	if err != nil || len(seeds) < 10 {
		f.Fatalf("%d seeds, %v", len(seeds), err)
	}
	for _, s := range seeds {
		if b := load(f, filepath.Base(s)); len(b) < 4096 {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var ids, labels int64
		index, err := pickle.Read(bytes.NewReader(b), pickle.Visitor{
			ID:    func(string, uint64) error { ids++; return nil },
			Label: func(uint64, string) error { labels++; return nil },
		})
		if index.IDs != ids || index.Labels != labels {
			t.Errorf("counted %d and %d, handed on %d and %d", index.IDs, index.Labels, ids, labels)
		}
		if err != nil && !errors.Is(err, pickle.ErrMalformed) {
			t.Errorf("an error of another kind: %v", err)
		}
	})
}
