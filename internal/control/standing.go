package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// StatusFile is where Publish writes: beside the record or, where the state
// directory cannot be written, in a private temporary directory. It is empty if
// there is not even that.
func (s *Server) StatusFile() string { return s.status }

// Publish writes the standing of the program, for Standings and for the program
// itself to read. A reader meets the old one or the new one.
func (s *Server) Publish(standing holdfast.Standing) error {
	if s.status == "" {
		return &holdfast.Error{Op: "write the status", Err: errors.New("there is no directory that can be written"), Hint: "TMPDIR names one"}
	}
	data, err := json.MarshalIndent(standing, "", "  ")
	if err == nil {
		err = durable.PublishFile(durable.OS, s.status, append(data, '\n'), 0o600)
	}
	if err != nil {
		return &holdfast.Error{Op: "write the status", Object: s.status, Err: pathless(err)}
	}
	return nil
}

// Standings tells how the programs stand that live below stateDir. Each is asked; of
// one that does not answer it is what it has published last, or who it is if that
// cannot be read either, and the error says why.
func Standings(ctx context.Context, stateDir string) ([]holdfast.Standing, error) {
	programs, err := living(stateDir)
	if err != nil {
		return nil, err
	}
	out, errs := make([]holdfast.Standing, len(programs)), make([]error, len(programs))
	var asked sync.WaitGroup
	for i, p := range programs {
		asked.Go(func() { out[i], errs[i] = p.standing(ctx) })
	}
	asked.Wait()
	return out, errors.Join(errs...)
}

// glance bounds how long a program may take to say how it stands: it does nothing
// else for that.
var glance = limits{line: 2 * time.Second, answer: 2 * time.Second}

// standing asks a program how it stands.
func (r record) standing(ctx context.Context) (holdfast.Standing, error) {
	c := Client{limits: glance}
	conn, err := c.connect(ctx, r)
	if err == nil {
		defer conn.close()
		var a answer
		if a, err = conn.exchange(ctx, request{Op: "standing"}, "standing"); err == nil && a.Standing != nil {
			return *a.Standing, nil
		}
	}
	out, from := r.published()
	if errors.Is(err, errGone) && errors.Is(from, fs.ErrNotExist) {
		return out, nil // it has just ended
	}
	if from == nil {
		from = fmt.Errorf("what it told %s is shown", out.At.UTC().Format(time.RFC3339))
	}
	return out, &holdfast.Error{Op: "ask", Object: r.name(), Err: fmt.Errorf("%w; %w", err, from), Hint: "see whether it hangs"}
}

// published reads what a program has published.
func (r record) published() (holdfast.Standing, error) {
	standing := holdfast.Standing{PID: r.PID, Host: r.Host, Started: r.Started, State: holdfast.StandingStarting}
	data, err := readSmall(r.Status)
	if err == nil {
		err = json.Unmarshal(data, &standing)
	}
	if err != nil {
		return standing, &holdfast.Error{Op: "read", Object: r.Status, Err: pathless(err)}
	}
	return standing, nil
}
