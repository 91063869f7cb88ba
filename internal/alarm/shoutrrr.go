package alarm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"mime"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// defaultTimeout is how long telling one service may take.
const defaultTimeout = 30 * time.Second

// mostHanging is how many messages to one service may hang beyond their time
// limit before no further one is sent: the library does not take a context.
const mostHanging = 3

// titled are the services that take a title; the others have the text alone.
var titled = map[string]bool{
	"bark": true, "discord": true, "generic": true, "gotify": true, "ifttt": true, "join": true, "lark": true, "matrix": true, "ntfy": true,
	"opsgenie": true, "pushbullet": true, "pushover": true, "slack": true, "smtp": true, "teams": true, "telegram": true,
}

// Services tells people by URLs of shoutrrr.
type Services struct {
	timeout  time.Duration
	services []*service
}

// service is one URL. Each has a sender of its own, so that one that is wrong or
// hangs does not silence the others.
type service struct {
	name    string // for people: notify.urls[0] (ntfy)
	scheme  string
	url     string
	secrets []string
	hanging atomic.Int64
}

// Shoutrrr makes a sender of URLs. A URL that cannot be used is an error that
// names it without its secrets; the sender is made of the others all the same, and
// is nil if there are none.
func Shoutrrr(urls []string, timeout time.Duration) (*Services, error) {
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	s := &Services{timeout: timeout}
	var faults []error
	for i, raw := range urls {
		one := newService(i, raw)
		if err := one.check(); err != nil {
			faults = append(faults, &holdfast.Error{
				Op: "configuration", Object: one.name,
				Err:  holdfast.Kindf(holdfast.ErrUsage, "%v", err),
				Hint: "docs/alarms.md shows how the URL of each service is written",
			})
			continue
		}
		s.services = append(s.services, one)
	}
	err := errors.Join(faults...)
	if len(s.services) == 0 {
		return nil, err
	}
	return s, err
}

func newService(i int, raw string) *service {
	scheme, _, found := strings.Cut(raw, ":")
	scheme, _, _ = strings.Cut(strings.ToLower(scheme), "+")
	if !found || strings.ContainsFunc(scheme, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }) {
		scheme = "no URL"
	}
	return &service{name: fmt.Sprintf("notify.urls[%d] (%s)", i, scheme), scheme: scheme, url: raw, secrets: redact.Secrets(raw)}
}

// check looks whether the URL can be used. With Matrix, opening would already log
// in, and fail where only the network does.
func (s *service) check() error {
	if s.scheme != "matrix" {
		_, err := s.open()
		return err
	}
	u, err := url.Parse(s.url)
	if err == nil {
		err = (&matrix.Config{}).SetURL(u)
	}
	if err != nil {
		return s.unreadable(err)
	}
	return nil
}

// open makes the library's sender. It is made anew for each message: some keep
// the title of the last one.
func (s *service) open() (types.Service, error) {
	if s.scheme == "logger" {
		return nil, errors.New("a logger tells nobody: the log of `holdfast serve` has every alarm anyway")
	}
	var r router.ServiceRouter
	r.SetLogger(log.New(io.Discard, "", 0)) // its lines quote URLs and answers
	sender, err := r.Locate(s.url)
	if err == nil {
		return sender, nil
	}
	if errors.Is(err, router.ErrUnknownService) {
		return nil, fmt.Errorf("%q is no service that is known", s.scheme)
	}
	if u, parseErr := url.Parse(s.url); parseErr != nil || u.Scheme == "" {
		return nil, errors.New("it is no URL")
	}
	return nil, s.unreadable(err)
}

func (s *service) unreadable(err error) error {
	return fmt.Errorf("it is no URL of %s: %s", s.scheme, redact.Text(err.Error(), s.secrets...))
}

// Send tells all services at once.
func (s *Services) Send(ctx context.Context, m Message) []error {
	all := make([]error, len(s.services))
	var wg sync.WaitGroup
	for i, one := range s.services {
		wg.Go(func() { all[i] = one.send(ctx, m, s.timeout) })
	}
	wg.Wait()
	return all
}

// Names gives the services in words for people, in their order.
func (s *Services) Names() []string {
	names := make([]string, len(s.services))
	for i, one := range s.services {
		names[i] = one.name
	}
	return names
}

// SendTo tells one service, by its name.
func (s *Services) SendTo(ctx context.Context, name string, m Message) error {
	for _, one := range s.services {
		if one.name == name {
			return one.send(ctx, m, s.timeout)
		}
	}
	return fmt.Errorf("%s is not configured any more", name)
}

// Test sends a message that says that it is a test, and tells what became of it
// at each service.
func (s *Services) Test(ctx context.Context, host string) []Delivery {
	errs := s.Send(ctx, Message{
		Title: "holdfast on " + host + ": a test",
		Text:  "This is a test of the alarms of holdfast on " + host + ". Nothing is wrong: what is wrong would be told here.",
	})
	all := make([]Delivery, len(errs))
	for i, err := range errs {
		all[i] = Delivery{Service: s.services[i].name, OK: err == nil}
		if err != nil {
			all[i].Error = err.Error()
		}
	}
	return all
}

// send tells one service. It returns when the time is over, whatever the library
// does.
func (s *service) send(ctx context.Context, m Message, timeout time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no answer within %s", timeout))
	defer cancel()
	if s.hanging.Load() >= mostHanging {
		return s.failed(errors.New("earlier messages to it still hang"))
	}
	done := make(chan error, 1)
	s.hanging.Add(1)
	go func() {
		defer s.hanging.Add(-1)
		defer func() {
			if p := recover(); p != nil {
				done <- errors.New("the library panicked")
			}
		}()
		done <- s.deliver(m)
	}()
	select {
	case err := <-done:
		return s.failed(err)
	case <-ctx.Done():
		return s.failed(context.Cause(ctx))
	}
}

// deliver hands a message to the library, which takes as long as it takes.
func (s *service) deliver(m Message) error {
	sender, err := s.open()
	if err != nil {
		return err
	}
	params := types.Params{}
	if titled[s.scheme] {
		params.SetTitle(title(s.scheme, m.Title))
	}
	return sender.Send(m.Text, &params)
}

// title is one line; in the header of an e-mail it must be ASCII.
func title(scheme, s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if scheme == "smtp" {
		return mime.QEncoding.Encode("utf-8", s)
	}
	return s
}

func (s *service) failed(err error) error {
	if err == nil {
		return nil
	}
	if words := strings.Fields(err.Error()); strings.ContainsAny(err.Error(), "\r\n") {
		err = errors.New(strings.Join(words, " ")) // some tell on several lines
	}
	return redact.Error(fmt.Errorf("%s: %w", s.name, err), s.secrets...)
}
