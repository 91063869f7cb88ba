package control

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
)

// maxSocketPath is what every system allows for the path of a socket.
const maxSocketPath = 100

// maxClients bounds the connections at one time.
const maxClients = 16

// A Server is the side of the program that holds the data.
type Server struct {
	h      Handler
	log    *slog.Logger
	limits limits
	record record

	dir, id  string
	private  string // the temporary directory of the socket
	status   string
	listener net.Listener
	lock     *flock.Flock

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex
	lease *session // who has stopped the program, or is about to
}

// Serve makes the program known below stateDir and answers restores until Close.
// The server is never nil: where it cannot be made known, the error says why, no
// restore in another process will reach it, and the rest of it works.
func Serve(stateDir string, sources []holdfast.Source, h Handler, logger *slog.Logger) (*Server, error) {
	return serve(stateDir, sources, h, logger, usual)
}

func serve(stateDir string, sources []holdfast.Source, h Handler, logger *slog.Logger, l limits) (*Server, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		h: h, log: logger, limits: l, dir: filepath.Join(stateDir, programsFolder), id: strings.ToLower(rand.Text()),
		record: record{Version: version, PID: os.Getpid(), Host: hostname(), Started: holdfast.At(time.Now()), Token: rand.Text()},
	}
	for _, source := range sources {
		s.record.Sources = append(s.record.Sources, newPlace(source))
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if err := s.open(stateDir); err != nil {
		s.unlist()
		return s, &holdfast.Error{
			Op: "make the program known in", Object: s.dir, Err: err,
			Hint: "without that a restore in another process cannot stop and start it: stop it yourself before you restore; state (HOLDFAST_STATE) names a directory that can be written",
		}
	}
	return s, nil
}

// open makes the program known. The record is the last step: whoever reads it
// can connect.
func (s *Server) open(stateDir string) error {
	if err := s.listen(); err != nil {
		return err
	}
	s.status = filepath.Join(s.private, statusFile)
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return pathless(err)
	}
	if _, err := living(stateDir); err != nil {
		s.log.Warn("other programs could not be looked at", "error", err)
	}
	s.lock = flock.New(filepath.Join(s.dir, s.id+lockSuffix), flock.SetPermissions(0o600))
	if ok, err := s.lock.TryLock(); err != nil {
		return fmt.Errorf("lock: %w", pathless(err))
	} else if !ok {
		return errors.New("somebody else holds a lock that was just made")
	}
	s.record.Status = filepath.Join(s.dir, s.id+statusSuffix)
	if err := s.record.write(s.dir, s.id); err != nil {
		return pathless(err)
	}
	s.status = s.record.Status
	s.work.Go(s.accept)
	return nil
}

// listen opens the socket in a private directory whose path is short enough.
func (s *Server) listen() error {
	var errs []error
	for _, parent := range []string{os.TempDir(), "/tmp", s.dir} {
		if len(parent)+len(privatePrefix)+len("/1234567890/")+len(socketFile) > maxSocketPath {
			errs = append(errs, fmt.Errorf("%s: its path is too long for a socket", parent))
			continue
		}
		private, err := os.MkdirTemp(parent, privatePrefix)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s.private, s.record.Socket = private, filepath.Join(private, socketFile)
		if s.listener, err = net.Listen("unix", s.record.Socket); err == nil {
			return os.Chmod(s.record.Socket, 0o600)
		}
		// The directory stays for the status, which needs no socket.
		return fmt.Errorf("socket: %w", err)
	}
	return errors.Join(errs...)
}

// accept answers clients.
func (s *Server) accept() {
	room := make(chan struct{}, maxClients)
	for {
		conn, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, most likely
			s.log.Warn("a restore in another process cannot reach this program now", "error", err)
			select {
			case <-time.After(s.limits.beat):
				continue
			case <-s.ctx.Done():
				return
			}
		}
		select {
		case room <- struct{}{}:
		default:
			_ = conn.Close()
			continue
		}
		s.work.Go(func() {
			newSession(s, conn).serve()
			<-room
		})
	}
}

// take gives the lease to c, or tells who has it.
func (s *Server) take(c *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lease != nil {
		return &holdfast.LockedError{Object: "the program " + s.record.name(), Owner: s.lease.who}
	}
	s.lease = c
	return nil
}

// release takes the lease back.
func (s *Server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lease = nil
}

// Close makes the program unknown and waits until nobody is answered any more. A
// client that has stopped it finds its connection closed: a program that ends
// is not started again.
func (s *Server) Close() error {
	s.cancel()
	s.unlist()
	s.work.Wait()
	if s.private == "" {
		return nil
	}
	return os.RemoveAll(s.private)
}

// unlist removes record and socket, so that nobody comes any more.
func (s *Server) unlist() {
	if s.listener != nil {
		_ = s.listener.Close() // removes the socket
	}
	if s.lock == nil {
		return
	}
	for _, suffix := range []string{recordSuffix, statusSuffix} {
		_ = os.Remove(filepath.Join(s.dir, s.id+suffix))
	}
	_ = s.lock.Close() // some systems remove no open file
	_ = os.Remove(filepath.Join(s.dir, s.id+lockSuffix))
}
