//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/dir"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// A drill finds what no checksum can: a backup whose every byte is what was stored,
// but whose index folder is of another moment than its database. The ids are the
// same at both, so that the structure is sound as well.
func TestDrill_FindsAnIndexOfAnotherMoment(t *testing.T) {
	eachServer(t, func(t *testing.T, v chromatest.Version) {
		m := newMachine(t)
		m.configure("standard")
		service := m.newService(v, "data/chromadb")
		client := service.client()
		// The database is of the second moment, and so are the questions.
		turn(t, client, 1)
		m.must(0, "backup", "--name", "first", "--memory=false")
		turn(t, client, 2)
		m.must(0, "backup", "--name", "second", "--memory=false")
		m.plant("data/chromadb_backup", "first", "second", "planted", time.Time{})

		command := chromatest.ShellCommand(t, v)
		stdout, _ := m.must(0, "verify", "planted", "--full")
		contains(t, "verify", stdout, "proven planted")
		for name, by := range map[string][]string{"the files": {"files of collection turning"}, "a server": {"files of collection turning", "answers of collection turning"}} {
			args := []string{"drill", "planted"}
			if len(by) > 1 {
				args = append(args, "--chroma-command", command)
			}
			stdout, stderr := m.must(12, args...)
			contains(t, "a drill that asks "+name, stdout+stderr, append(by, "not proven planted", "another vector")...)
		}
		// It stays disproven, whatever a verification says.
		m.must(0, "verify", "planted")
		stdout, _ = m.must(0, "list")
		contains(t, "list", stdout, "failed a drill")

		for _, name := range []string{"first", "second"} {
			stdout, _ = m.must(0, "--json", "drill", name, "--chroma-command", command, "--dir", "scratch space")
			var out report.Drill
			if err := json.Unmarshal([]byte(stdout), &out); err != nil {
				t.Fatal(err)
			}
			if !out.OK || len(out.Asked) != 1 || out.Proof.RestoreMS == 0 || len(out.Problems) > 0 {
				t.Errorf("the drill of %s: %s", name, stdout)
			}
		}
		if left, err := filepath.Glob(m.path("scratch space", "*")); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v (%v)", left, err)
		}
		stdout, _ = m.must(0, "list")
		contains(t, "list", stdout, "by drill")
		stdout, _ = m.must(0, "show", "second")
		contains(t, "show", stdout, "restored in")

		// What could not be held tells nothing of the backup.
		_, stderr := m.must(1, "drill", "second", "--chroma-command", "echo no such server; exit 4")
		refusal(t, stderr, "no such server")
		stdout, _ = m.must(0, "show", "second")
		contains(t, "show", stdout, "restored in")
	})
}

// turn writes the same records with other vectors, so often that nothing of them is
// left in the log but the last entry.
func turn(t *testing.T, c *chromatest.Client, round int) {
	t.Helper()
	const each, threshold = 10, 20
	ctx := t.Context()
	col, err := c.Collection(ctx, "turning")
	if err != nil {
		if col, err = c.Create(ctx, chromatest.CollectionSpec{Name: "turning", Space: "l2", SyncThreshold: threshold}); err != nil {
			t.Fatal(err)
		}
	}
	for first := 0; first < 2*threshold; first += each {
		var records []chromatest.Record
		for i := first; i < first+each; i++ {
			r := chromatest.Record{ID: fmt.Sprint("record-", i), Document: new("always the same"), Embedding: make([]float32, 12)}
			for d := range r.Embedding {
				r.Embedding[d] = float32((i*7+d*round*round*5)%31) + float32(round)/4
			}
			records = append(records, r)
		}
		if err := c.Upsert(ctx, col.ID, records); err != nil {
			t.Fatal(err)
		}
	}
}

// plant makes a backup of the files of second, but with the index folders of first, as
// of a time; zero: that of second.
func (m *machine) plant(repository, first, second, name string, at time.Time) {
	m.t.Helper()
	ctx := m.t.Context()
	must := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
	}
	bucket, err := dir.New(m.path(repository), dir.Options{})
	must(err)
	r, err := repo.Open(ctx, bucket, repo.Options{})
	must(err)
	one, err := r.Backup(ctx, holdfast.BackupName(first))
	must(err)
	defer one.Close()
	two, err := r.Backup(ctx, holdfast.BackupName(second))
	must(err)
	defer two.Close()
	lease, err := r.Lock(ctx, "test")
	must(err)
	defer func() { must(lease.Release()) }()
	p, err := r.Create(ctx, holdfast.BackupName(name), true, repo.CreateOptions{})
	must(err)
	metadata := *two.Metadata()
	sinks := map[string]holdfast.Sink{}
	for _, source := range metadata.Sources {
		sinks[source.Name] = p.Sink(source.Name)
	}
	for _, f := range two.Files() {
		source, below, _ := strings.Cut(f.Path, "/")
		sink, inSource := sinks[source]
		from := two
		if strings.Contains(below, "/") { // in an index folder
			from = one
		}
		switch {
		case inSource && below == "":
		case inSource && f.Mode.IsDir():
			must(sink.Add(holdfast.Entry{Path: below, Mode: f.Mode, ModTime: f.ModTime}))
		case inSource:
			data, err := fs.ReadFile(from, f.Path)
			must(err)
			w, err := sink.Create(holdfast.Entry{Path: below, Mode: f.Mode, ModTime: f.ModTime, Size: int64(len(data))})
			must(err)
			_, err = w.Write(data)
			must(err)
			must(w.Close())
		case strings.HasPrefix(f.Path, holdfast.QuestionsDir+"/"):
			data, err := fs.ReadFile(two, f.Path)
			must(err)
			must(p.WriteFile(f.Path, func(w io.Writer) error { _, err := w.Write(data); return err }))
		}
	}
	if !at.IsZero() {
		metadata.CreatedAt = holdfast.At(at)
	}
	_, err = p.Commit(ctx, &metadata)
	must(err)
}
