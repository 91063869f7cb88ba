package alarm

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
)

// A Service is one way to tell people, with a name that no other has.
type Service struct {
	Name string
	Send func(context.Context, Message) error
}

// Together makes one sender of one that may be nil and of further services, which
// are told side by side. It is nil if there is nobody to tell.
func Together(first Sender, services ...Service) Sender {
	if len(services) == 0 {
		return first
	}
	return together{first, services}
}

type together struct {
	first    Sender // may be nil
	services []Service
}

// Send tells all of them.
func (t together) Send(ctx context.Context, m Message) []error {
	errs := make([]error, len(t.services))
	var telling sync.WaitGroup
	for i, s := range t.services {
		telling.Go(func() { errs[i] = s.Send(ctx, m) })
	}
	var before []error
	if t.first != nil {
		before = t.first.Send(ctx, m)
	}
	telling.Wait()
	return slices.Concat(before, errs)
}

// Names gives those that can be told one by one, in the order of Send.
func (t together) Names() []string {
	var names []string
	if p, ok := t.first.(postman); ok {
		names = slices.Clone(p.Names())
	}
	for _, s := range t.services {
		names = append(names, s.Name)
	}
	return names
}

// SendTo tells one of them.
func (t together) SendTo(ctx context.Context, service string, m Message) error {
	for _, s := range t.services {
		if s.Name == service {
			return s.Send(ctx, m)
		}
	}
	if p, ok := t.first.(postman); ok {
		return p.SendTo(ctx, service, m)
	}
	return &holdfast.Error{Op: "tell", Object: service, Err: errors.New("nothing has this name any more")}
}
