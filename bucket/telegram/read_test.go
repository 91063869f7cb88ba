package telegram

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// Whatever becomes of a piece, it is named by its message and by the object, and
// not a byte of it is given.
func TestRead_DamageIsNamed(t *testing.T) {
	for name, harm := range map[string]func(c *chat, m *message){
		"a bit flipped": func(c *chat, m *message) {
			data := append([]byte(nil), c.files[m.file]...)
			data[len(data)/2] ^= 1
			c.files[m.file] = data
		},
		"cut off": func(c *chat, m *message) { c.files[m.file] = c.files[m.file][:1000] },
		"longer": func(c *chat, m *message) {
			c.files[m.file] = append(c.files[m.file][:len(c.files[m.file]):len(c.files[m.file])], 0)
		},
		"empty":   func(c *chat, m *message) { c.files[m.file] = nil },
		"deleted": func(c *chat, m *message) { delete(c.files, m.file); delete(c.messages, m.id) },
		"another piece": func(c *chat, m *message) {
			for _, other := range c.messages { // sound, of the same size, and not the one
				if other != m && other.name == pieceName && len(c.files[other.file]) == len(c.files[m.file]) {
					c.files[m.file] = c.files[other.file]
				}
			}
		},
		"overwritten": func(c *chat, m *message) {
			delete(c.files, m.file)
			m.file = "another"
			c.files[m.file] = []byte("not a file of age")
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := filled(t)
			must(t, open(t, c.stateless(t)).Put(t.Context(), "other", noise(50, 60_000), bucket.Replace))
			s, err := open(t, c.stateless(t)).look(t.Context(), true)
			must(t, err)
			at := s.idx.Packs[s.idx.Objects["one/large"].Pack].Pieces[1]
			harm(c, c.messages[at.Message])
			o, err := open(t, c.stateless(t)).Open(t.Context(), "one/large")
			must(t, err)
			first := make([]byte, 100_000)
			if _, err := o.ReadAt(first, 0); err != nil {
				t.Errorf("the sound piece before it: %v", err)
			}
			n, err := o.ReadAt(make([]byte, 1000), 100_000)
			if n != 0 || !errors.Is(err, holdfast.ErrDamaged) {
				t.Fatalf("read %d bytes, %v, want damage", n, err)
			}
			for _, want := range []string{"one/large", fmt.Sprintf("message %d", at.Message)} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not name %s", err, want)
				}
			}
			must(t, o.Close())
		})
	}
}

// Reading at random keeps no more than it may, and downloads what it has once.
func TestRead_TheCacheIsBounded(t *testing.T) {
	c := newChat()
	o := c.stateless(t)
	b := open(t, o)
	s, err := b.Stage(t.Context(), "tree", bucket.StageOptions{Marker: "marker"})
	must(t, err)
	must(t, write(t.Context(), s, "large", noise(3, 900_000))) // nine pieces, two and a half fit
	must(t, s.Commit(t.Context(), nil))
	reader := open(t, o)
	obj, err := reader.Open(t.Context(), "tree/large")
	must(t, err)
	before := len(c.log)
	for range 3 {
		if _, err := io.Copy(io.Discard, io.NewSectionReader(obj, 0, 200_000)); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.times(before, "download"); n != 2 {
		t.Errorf("two pieces were downloaded %d times", n)
	}
	for i := range int64(9) {
		if _, err := obj.ReadAt(make([]byte, 10), i*100_000); err != nil {
			t.Fatal(err)
		}
		if reader.pieces.bytes > o.cache {
			t.Errorf("%d bytes are kept, %d may be", reader.pieces.bytes, o.cache)
		}
	}
	must(t, obj.Close())
	if left, err := os.ReadDir(o.Spool); err != nil || len(left) > 0 {
		t.Errorf("temporary files have names: %v (%v)", left, err)
	}
}
