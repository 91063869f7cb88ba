package chroma

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-backup/holdfast"
)

// Rehearse implements holdfast.Rehearser. The command finds the directory, the
// address and the port in CHROMA_PATH, CHROMA_HOST and CHROMA_PORT.
func (s *Source) Rehearse(ctx context.Context, dir, command string, r io.Reader) ([]holdfast.Comparison, error) {
	q, err := readQuestions(r)
	if err != nil {
		return nil, err
	}
	all, err := readAnswers(ctx, dir, q) // which also counts what a server must count
	if command != "" && err == nil {
		all, err = askServer(ctx, dir, command, q)
	}
	for i := range all {
		all[i].Source = s.name
	}
	return all, err
}

// askServer starts a server on a directory, asks it, and stops it.
func askServer(ctx context.Context, dir, command string, q *questions) (all []holdfast.Comparison, err error) {
	server, err := startServer(ctx, dir, command)
	if err != nil {
		return nil, &holdfast.Error{
			Op: "start a Chroma server on the copy", Err: err,
			Hint: `give a command that starts one, such as chroma run --path "$CHROMA_PATH" --host 127.0.0.1 --port "$CHROMA_PORT"; a server that is older than the one that wrote the data refuses it`,
		}
	}
	defer func() { err = errors.Join(err, server.stop()) }()
	c := server.client()
	defer c.close()
	for _, one := range q.Collections {
		difference, err := c.ask(ctx, one)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil && server.endsWithin(stopTime) {
			// A server that is asked for what it cannot serve may end.
			return append(all, one.compared("answers", "the server ended: "+server.lastWords())), nil
		}
		if err != nil {
			return nil, &holdfast.Error{Op: "ask the Chroma server about collection", Object: one.label(), Err: fmt.Errorf("%w: %s", err, server.lastWords())}
		}
		all = append(all, one.compared("answers", difference))
	}
	return all, nil
}

// nearest is how many records a server is asked for that are near a vector. The
// record that has the vector is usually the first, but searching is approximate,
// and others may have the same vector.
const nearest = 10

// ask asks a server about one collection and tells how its answer differs. An error
// is for a question that was not answered, neither well nor badly.
func (c *client) ask(ctx context.Context, q question) (string, error) {
	difference, err := c.askRecords(ctx, q)
	if difference == "" && err == nil {
		difference, err = c.search(ctx, q)
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
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
	found, err := c.get(ctx, q, whole, "documents", "metadatas", "embeddings")
	if err != nil {
		return "", err
	}
	others, err := c.get(ctx, q, plain, "documents", "metadatas")
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
	there, err := c.get(ctx, q, ids)
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
