package rehearsal

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A client asks a server that was started for it.
type client struct{ api *api.Client }

// answerTime bounds the silence before an answer: a server may load a large index
// first.
const answerTime = 2 * time.Minute

// askRate is how many questions a second the server gets: it has nothing else to do.
const askRate = 1000

func newClient(address string) (*client, error) {
	// What fails once is an answer, too: nothing is tried again.
	c, err := api.New(api.Options{URL: address, Rate: askRate, Patience: -1, Stall: answerTime})
	return &client{c}, err
}

func (c *client) close() { c.api.Close() }

// heartbeat returns nil if the server answers.
func (c *client) heartbeat(ctx context.Context) error { return c.api.Heartbeat(ctx) }

// of is the collection that a question is about.
func (q question) of() api.Collection {
	return api.Collection{ID: q.ID, Tenant: q.Tenant, Database: q.Database, Name: q.Name}
}

// collection gives the id of a collection by its name.
func (c *client) collection(ctx context.Context, q question) (string, error) {
	found, err := c.api.Collection(ctx, q.Tenant, q.Database, q.Name)
	return found.ID, err
}

func (c *client) count(ctx context.Context, q question) (int64, error) {
	return c.api.Count(ctx, q.of())
}

// get reads records by id; ids that do not exist are left out. One that the server
// cannot give whole fails all.
func (c *client) get(ctx context.Context, q question, ids []string, want disk.Part) ([]answer, error) {
	records, bad, err := c.api.Get(ctx, q.of(), ids, want)
	for _, b := range bad {
		err = errors.Join(err, b.Err)
	}
	if err != nil {
		return nil, err
	}
	found := make([]answer, len(records))
	for i, r := range records {
		found[i] = answerOf(r.ID, r.Document, r.Metadata, r.Embedding)
	}
	return found, nil
}

// query gives the ids of at most n records near a vector.
func (c *client) query(ctx context.Context, q question, v vector, n int) ([]string, error) {
	return c.api.Query(ctx, q.of(), v, n)
}
