package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// Rehearse has the questions about the copy in dir answered, by a server that command
// starts, or without one by the copy. The command finds the directory, the address and
// the port in CHROMA_PATH, CHROMA_HOST and CHROMA_PORT.
func Rehearse(ctx context.Context, dir, command string, r io.Reader) ([]holdfast.Comparison, error) {
	q, err := readQuestions(r)
	if err != nil {
		return nil, err
	}
	all, err := readAnswers(ctx, dir, q) // which also counts what a server must count
	if command != "" && err == nil {
		all, err = rehearseServer(ctx, dir, command, q)
	}
	return all, err
}

// rehearseServer asks a server that is started on the copy. Out of the records of a server
// a directory is made first, beside the copy: its collections have other ids.
func rehearseServer(ctx context.Context, dir, command string, q *questions) (_ []holdfast.Comparison, err error) {
	if !records.Is(os.DirFS(dir)) {
		return askServer(ctx, dir, command, q)
	}
	built, err := os.MkdirTemp(filepath.Dir(dir), "built-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(built)) }()
	// What SQLite may say of this directory says nothing of the backup: the server is asked.
	if _, err := Build(ctx, os.DirFS(dir), built, command, nil); err != nil {
		return nil, err
	}
	for i := range q.Collections {
		q.Collections[i].ID = ""
	}
	return askServer(ctx, built, command, q)
}

// askServer starts a server on a directory, asks it, and stops it.
func askServer(ctx context.Context, dir, command string, q *questions) (all []holdfast.Comparison, err error) {
	r := &rehearsal{dir: dir, command: command}
	defer func() { err = errors.Join(err, r.stop()) }()
	for _, one := range q.Collections {
		difference, err := r.ask(ctx, one)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, one.compared("answers", difference))
		if r.useless {
			break
		}
	}
	return all, nil
}

// A rehearsal keeps a server running on a copy.
type rehearsal struct {
	dir, command string
	server       *server // nil before the start
	useless      bool    // there is no sense in asking for more
}

func (r *rehearsal) stop() error {
	if r.server == nil {
		return nil
	}
	s := r.server
	r.server = nil
	return s.stop()
}

// ask asks about one collection. A server that ends meanwhile is started once more:
// it may have ended for want of memory, or for what it was asked.
func (r *rehearsal) ask(ctx context.Context, q question) (string, error) {
	for again := false; ; again = true {
		if difference, err := r.start(ctx); err != nil || difference != "" {
			return difference, err
		}
		difference, err := r.server.client.ask(ctx, q)
		switch {
		case err == nil || ctx.Err() != nil:
			return difference, err
		case !r.server.endsWithin(stopTime):
			return "", &holdfast.Error{Op: "ask the Chroma server about collection", Object: q.label(), Err: fmt.Errorf("%w: %s", err, r.server.lastWords())}
		case again:
			r.useless = true
			return "the server ended: " + r.server.lastWords(), nil
		}
		if err := r.stop(); err != nil {
			return "", err
		}
	}
}

// start starts the server if it does not run. One that ends at once is tried again,
// since somebody may have taken its port, and then on an empty directory, which
// tells whether it is the copy that it does not like.
func (r *rehearsal) start(ctx context.Context) (difference string, err error) {
	if r.server != nil {
		return "", nil
	}
	for range 2 {
		if r.server, err = startServer(ctx, r.dir, r.command); err == nil {
			return "", nil
		}
		r.server = nil
		if _, ended := errors.AsType[*endedError](err); !ended || ctx.Err() != nil {
			break
		}
	}
	if _, ended := errors.AsType[*endedError](err); ended && ctx.Err() == nil && r.servesOthers(ctx) {
		r.useless = true
		return "a server that starts on an empty directory, but not on this: " + err.Error(), nil
	}
	return "", notStarted(err)
}

// servesOthers tells whether the command starts a server on an empty directory, and
// one that is not too old for the copy.
func (r *rehearsal) servesOthers(ctx context.Context) bool {
	empty, err := os.MkdirTemp(filepath.Dir(r.dir), "empty-")
	if err != nil {
		return false
	}
	defer os.RemoveAll(empty)
	s, err := startServer(ctx, empty, r.command)
	if err != nil || s.stop() != nil {
		return false
	}
	own, err := schemaOf(ctx, empty)
	if err != nil {
		return false
	}
	copied, err := schemaOf(ctx, r.dir)
	return err == nil && !copied.Newer(own)
}

// schemaOf reads which schema a directory has.
func schemaOf(ctx context.Context, dir string) (holdfast.ChromaSchema, error) {
	d, err := disk.OpenUncounted(ctx, os.DirFS(dir))
	if err != nil {
		return holdfast.ChromaSchema{}, err
	}
	return d.Schema(), d.Close()
}

// nearest is how many records a server is asked for that are near a vector. The
// record that has the vector is usually the first, but searching is approximate,
// and others may have the same vector.
const nearest = 10

// ask asks a server about one collection and tells how its answer differs. An error
// is for a question that was not answered, neither well nor badly.
func (c *client) ask(ctx context.Context, q question) (string, error) {
	var difference string
	var err error
	if q.ID == "" {
		q.ID, err = c.collection(ctx, q)
	}
	if err == nil {
		difference, err = c.askRecords(ctx, q)
	}
	if difference == "" && err == nil {
		difference, err = c.search(ctx, q)
	}
	if refused, ok := errors.AsType[*api.StatusError](err); ok {
		return refused.Error(), nil
	}
	return difference, err
}

// askRecords asks for what was captured.
func (c *client) askRecords(ctx context.Context, q question) (string, error) {
	id, err := c.collection(ctx, q)
	if err != nil {
		return "", err
	}
	if id != q.ID {
		return "another collection of this name", nil
	}
	count, err := c.count(ctx, q)
	if err != nil || len(q.Records) == 0 {
		return q.held(count, nil), err
	}
	var whole, plain []string // a record without a vector fails all that are asked for with it
	for _, r := range q.Records {
		if len(r.Vector) > 0 {
			whole = append(whole, r.ID)
		} else {
			plain = append(plain, r.ID)
		}
	}
	found, err := c.get(ctx, q, whole, disk.Documents|disk.Metadata|disk.Embeddings)
	if err != nil {
		return "", err
	}
	others, err := c.get(ctx, q, plain, disk.Documents|disk.Metadata)
	return q.held(count, append(found, others...)), err
}

// search searches for the captured vectors. What is found must exist; that some
// record is not found proves nothing, but a search that never finds anything is
// none.
func (c *client) search(ctx context.Context, q question) (string, error) {
	var ids []string
	seen := map[string]bool{}
	searched := false
	for _, r := range q.Records {
		if len(r.Vector) == 0 {
			continue
		}
		searched = true
		near, err := c.query(ctx, q, r.Vector, int(min(q.count, nearest)))
		if err != nil {
			return "", err
		}
		for _, id := range near {
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
		}
	}
	if !searched {
		return "", nil
	}
	if len(ids) == 0 {
		return "searches that find nothing", nil
	}
	there, err := c.get(ctx, q, ids, 0)
	if err != nil {
		return "", err
	}
	for _, a := range there {
		delete(seen, a.ID)
	}
	for id := range seen {
		return fmt.Sprintf("a search that finds record %.60q, which does not exist", id), nil
	}
	return "", nil
}
