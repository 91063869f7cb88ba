package telegramtest

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"
)

// DefaultToken is the token of a bot that was given none. It has the form of a
// real one.
const DefaultToken = "7120000001:AAHoldfastDoubleOfTheBotApi-0123456"

// Options are what a Server can be told. The zero value is good.
type Options struct {
	Token  string           // of the bot; DefaultToken if empty
	Name   string           // of the bot; "Holdfast"
	Listen string           // address to listen on; a free port of the loopback
	Dir    string           // folder in which the state survives; empty: a temporary one
	Now    func() time.Time // the clock of dates and windows; time.Now

	// Patience bounds Await and Presses; 20 seconds.
	Patience time.Duration
	// Paced refuses what is sent faster than Telegram takes it.
	Paced bool
	// Local makes getFile answer as a server of one's own with --local does:
	// absolute paths, and no limit for downloads.
	Local bool
	// Logger is told each call; none if nil.
	Logger *slog.Logger
}

func (o *Options) fill() {
	if o.Token == "" {
		o.Token = DefaultToken
	}
	if o.Name == "" {
		o.Name = "Holdfast"
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

// A Server is Telegram for one bot.
type Server struct {
	URL   string // base URL for clients of the Bot API, without a slash at the end
	Token string // the token with which the Server began

	o      Options
	t      testing.TB // nil in a program
	dir    string
	files  string // folder of uploaded bytes
	http   *http.Server
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu      sync.Mutex
	state   state
	changed chan struct{} // closed and made anew at each change
	changes int64         // how many there were
	poller  *poller
	polls   int // requests for updates that have come
	faults  map[string][]Fault
	calls   []Call
	pace    pace
}

// Start starts a Server that lives as long as the test.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	s.t = t
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// New starts a Server. Close ends it.
func New(o Options) (*Server, error) {
	o.fill()
	s := &Server{
		Token:   o.Token,
		o:       o,
		dir:     o.Dir,
		changed: make(chan struct{}),
		faults:  map[string][]Fault{},
		pace:    pace{chats: map[int64]*window{}},
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.discard())
	}
	l, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(err, s.discard())
	}
	s.URL = "http://" + l.Addr().String()
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return s.ctx }}
	s.ended.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.o.Logger.Error("the double ended", "error", err)
		}
	})
	s.ended.Go(s.postUpdates)
	return s, nil
}

// Close ends the Server. What it kept stays if it was given a folder.
func (s *Server) Close() error {
	s.cancel()
	err := s.http.Close()
	s.ended.Wait()
	return errors.Join(err, s.discard())
}

// discard removes a folder that was temporary.
func (s *Server) discard() error {
	if s.o.Dir != "" || s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}

// now is the time of the Server's clock, in the Bot API's unit.
func (s *Server) now() int64 { return s.o.Now().Unix() }

// Revoke gives the bot another token, as its owner does at BotFather. The old
// one is answered with 401 from then on; chats and files stay.
func (s *Server) Revoke(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.Token = token
	s.touch()
}

// wrong tells the test of a step that the person or the test cannot take.
func (s *Server) wrong(err error) {
	if s.t != nil {
		s.t.Helper()
		s.t.Errorf("telegramtest: %v", err)
		return
	}
	s.o.Logger.Error("a step of a person failed", "error", err)
}
