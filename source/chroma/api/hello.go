package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// The versions of the API.
const (
	V1 = "v1"
	V2 = "v2"
)

// What a server is born with.
const (
	DefaultTenant   = "default_tenant"
	DefaultDatabase = "default_database"
)

// A Server is what a server tells of itself, and what was found that it can.
type Server struct {
	API string // V1 or V2
	// Version is what it calls itself. All servers from 1.0 on say "1.0.0".
	Version string
	// MaxBatch is how many records it takes at once; 0 if it does not say.
	MaxBatch int
	// Arrays tells that metadata may hold lists.
	Arrays bool
	// ByID tells that it finds collections by id, too.
	ByID bool
	// Lists tells that it can list the databases of a tenant.
	Lists bool
}

// A greeting keeps the answer to Hello.
type greeting struct {
	turn   chan struct{} // held by who asks
	server *Server
}

// Hello finds out what the server is. A success is remembered; a failure is told at
// once, since whoever says hello wants to know whether anybody is there.
func (c *Client) Hello(ctx context.Context) (Server, error) {
	select {
	case c.hello.turn <- struct{}{}:
	case <-ctx.Done():
		return Server{}, context.Cause(ctx)
	}
	defer func() { <-c.hello.turn }()
	if c.hello.server != nil {
		return *c.hello.server, nil
	}
	s, err := c.greet(ctx)
	if err != nil {
		return Server{}, &holdfast.Error{Op: "ask Chroma server", Object: c.root, Err: err}
	}
	c.hello.server = &s
	return s, nil
}

// Heartbeat asks no more than whether a Chroma server answers, and once.
func (c *Client) Heartbeat(ctx context.Context) error {
	_, err := c.find(ctx)
	return err
}

// find finds out which version of the API is answered.
func (c *Client) find(ctx context.Context) (version string, err error) {
	if err = c.heartbeat(ctx, V2); err == nil {
		return V2, nil
	}
	// A stranger is told by his first answer: that he has no v1 either says less.
	if noSuchAPI(err) && c.heartbeat(ctx, V1) == nil {
		return V1, nil
	}
	return "", c.stranger(err)
}

func (c *Client) greet(ctx context.Context) (Server, error) {
	version, err := c.find(ctx)
	if err != nil {
		return Server{}, err
	}
	s := Server{API: version}
	if err := c.do(ctx, request{name: "version", path: "/api/" + s.API + "/version", once: true}, decodeInto(&s.Version)); err != nil {
		return Server{}, err
	}
	s.Version = shorten(c.clean(s.Version))
	var checks struct {
		MaxBatch int `json:"max_batch_size"`
	}
	err = c.do(ctx, request{name: "pre-flight checks", path: "/api/" + s.API + "/pre-flight-checks", once: true}, decodeInto(&checks))
	if _, refused := errors.AsType[*StatusError](err); err != nil && !refused {
		return Server{}, err
	}
	s.MaxBatch = checks.MaxBatch
	if s.API == V2 && !strings.HasPrefix(s.Version, "0.") {
		s.Lists = true
		return c.abilities(ctx, s)
	}
	return s, nil
}

// nobody is the id of no collection.
const nobody = "00000000-0000-0000-0000-000000000000"

// abilities finds out what servers with one and the same version can: an older one does
// not know the question, a newer one answers that there is no such collection.
func (c *Client) abilities(ctx context.Context, s Server) (Server, error) {
	base := v2Base(DefaultTenant, DefaultDatabase) + "/collections/"
	var status *StatusError
	err := c.do(ctx, request{name: "look for no collection", path: base + "by-id/" + nobody, once: true}, nil)
	switch {
	case err == nil:
	case errors.As(err, &status) && status.Status == http.StatusUnauthorized:
		return s, err
	case status != nil:
		s.ByID = status.isJSON
	default:
		return s, err
	}
	// The body is read before the collection is looked for. There is none, so
	// nothing is written.
	body := []byte(`{"ids":["-"],"metadatas":[{"-":["-"]}]}`)
	err = c.do(ctx, request{name: "offer a list to no collection", method: http.MethodPost, path: base + nobody + "/update", body: body, once: true}, nil)
	if !errors.As(err, &status) {
		return s, err
	}
	s.Arrays = status.Status == http.StatusNotFound && status.isJSON
	return s, nil
}

// heartbeat asks whether anybody is there.
func (c *Client) heartbeat(ctx context.Context, version string) error {
	return c.do(ctx, request{name: "heartbeat", path: "/api/" + version + "/heartbeat", once: true}, func(r io.Reader) error {
		var beat map[string]json.Number
		if err := json.NewDecoder(io.LimitReader(r, maxWords)).Decode(&beat); err != nil || beat["nanosecond heartbeat"] == "" {
			return errStranger
		}
		return nil
	})
}

// errStranger is the answer of somebody else.
var errStranger = errors.New("it does not answer as a Chroma server")

// noSuchAPI tells whether an answer leaves it open that there is another version.
func noSuchAPI(err error) bool {
	s, ok := errors.AsType[*StatusError](err)
	return ok && (s.Status == http.StatusNotFound || s.Status == http.StatusGone ||
		s.Status == http.StatusMethodNotAllowed || s.Status == http.StatusNotImplemented)
}

// stranger words the error of a heartbeat that was no Chroma's.
func (c *Client) stranger(err error) error {
	const hint = "give the address of the server itself, such as http://127.0.0.1:8000, with the path under which it is reached, if there is one"
	if s, ok := errors.AsType[*StatusError](err); ok && s.Status != http.StatusUnauthorized && s.Status != http.StatusForbidden && s.Status/100 != 3 {
		return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrUsage, "it does not answer as a Chroma server (status %d, %s)", s.Status, s.kind), Hint: hint}
	}
	if a, ok := errors.AsType[*answerError](err); ok {
		return &holdfast.Error{Err: holdfast.Kindf(holdfast.ErrUsage, "it does not answer as a Chroma server (status %d, %s)", a.status, a.kind), Hint: hint}
	}
	return err
}

// decodeInto decodes a small answer.
func decodeInto(out any) func(io.Reader) error {
	return func(r io.Reader) error {
		text, err := io.ReadAll(&bounded{from: io.LimitReader(r, maxSmall+1), left: maxSmall + 2})
		if err != nil {
			return err
		}
		if len(text) > maxSmall {
			return fmt.Errorf("it has more than %d MiB", maxSmall>>20)
		}
		return json.Unmarshal(bytes.TrimSpace(text), out)
	}
}

// maxSmall bounds the answers that are read whole.
const maxSmall = 32 << 20
