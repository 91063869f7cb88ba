package repo

import (
	"errors"
	"io/fs"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

func testInstance(id string) Instance {
	at := func(d time.Duration) holdfast.Time { return holdfast.At(testTime.Add(d)) }
	return Instance{
		ID: id, Run: "r4jxn2pq7h", Source: "bot", Host: "web-1",
		Created: at(0), Since: at(-240 * time.Hour), Started: at(time.Hour), Seen: at(2 * time.Hour),
		Expires: at(2*time.Hour + 90*time.Second), Ended: new(at(3 * time.Hour)), Open: true,
		Starts: 15, Kept: 12, Wiped: 2, LastWiped: new(at(0)),
	}
}

func TestRepository_Instances(t *testing.T) {
	r, b := newRepo(t)
	one, two := testInstance("aaaaaaaa"), testInstance("bbbbbbbb")
	for _, i := range []Instance{two, one} {
		if err := r.PutInstance(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
	// What is nobody's is left alone.
	if err := b.Put(t.Context(), instanceDir+"README", nil, 0); err != nil {
		t.Fatal(err)
	}
	list, err := r.Instances(t.Context())
	if err != nil || len(list) != 2 || list[0].Modified.IsZero() {
		t.Fatalf("got %+v, %v", list, err)
	}
	for i := range list {
		list[i].Modified = time.Time{}
	}
	if !reflect.DeepEqual(list, []Instance{one, two}) {
		t.Errorf("got %+v", list)
	}
	for range 2 { // absent is success
		if err := r.RemoveInstance(t.Context(), one.ID); err != nil {
			t.Error(err)
		}
	}
	if list, err = r.Instances(t.Context()); err != nil || len(list) != 1 || list[0].ID != two.ID {
		t.Errorf("got %+v, %v", list, err)
	}
	if backups, err := r.List(t.Context()); err != nil || len(backups) != 0 {
		t.Errorf("records are no backups: %v, %v", backups, err)
	}
}

func TestRepository_InstancesThatCannotBeRead(t *testing.T) {
	r, b := newRepo(t)
	for _, id := range []string{"aaaaaaaa", "bbbbbbbb", "cccccccc"} {
		if err := r.PutInstance(t.Context(), testInstance(id)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		b.Corrupt(instanceKey("aaaaaaaa"), func(d []byte) []byte { d[30] ^= 1; return d }),
		b.Corrupt(instanceKey("bbbbbbbb"), func([]byte) []byte {
			data, err := seal(instanceFile{Format: 1, Instance: testInstance("cccccccc")})
			if err != nil {
				t.Fatal(err)
			}
			return data
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	list, err := r.Instances(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("got %+v, %v", list, err)
	}
	for i, damaged := range []bool{true, true, false} {
		if errors.Is(list[i].Err, holdfast.ErrDamaged) != damaged || (list[i].Source == "") != damaged {
			t.Errorf("%s: %+v", list[i].ID, list[i])
		}
	}
	// A place that does not answer is not an empty one.
	b.Inject(func(op, _ string) error {
		if op == "open" {
			return errors.New("no route to host")
		}
		return nil
	})
	if _, err := r.Instances(t.Context()); err == nil {
		t.Error("records that were not read are said to be absent")
	}
}

// A writer that begins its work takes the temporary file of a record, written
// without its lease, for what a crash left.
func TestRepository_PutInstanceIsTriedAgain(t *testing.T) {
	r, b := newRepo(t)
	for failures, want := range map[int]bool{1: true, 2: true, 3: false} {
		left := failures
		b.Inject(func(op, _ string) error {
			if op == "put" && left > 0 {
				left--
				return fs.ErrNotExist
			}
			return nil
		})
		if err := r.PutInstance(t.Context(), testInstance("aaaaaaaa")); (err == nil) != want {
			t.Errorf("%d failures: %v", failures, err)
		}
	}
}

func TestRepository_InstanceIDsCannotLeaveTheirFolder(t *testing.T) {
	r, _ := newRepo(t)
	for _, id := range []string{"", "short", "../state/aaaaaaaa", "aaaaaaaa/b", "AAAAAAAA", "aaaaaaaa.json"} {
		i := testInstance(id)
		if err := r.PutInstance(t.Context(), i); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%q was written: %v", id, err)
		}
		if err := r.RemoveInstance(t.Context(), id); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%q was removed: %v", id, err)
		}
	}
}

// The example in FORMAT.md is what is written.
func TestFormat_Instance(t *testing.T) {
	i := testInstance("k5t7q2mzv4xw3h6jcbn2prd4ya")
	i.Ended, i.Open = nil, false
	data, err := seal(instanceFile{Format: holdfast.FormatVersion, Instance: i})
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "```json\n"+string(data)+"```\n") {
		t.Errorf("FORMAT.md has no such example:\n%s", data)
	}
}
