package boot

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/boot/internal/pool"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/probe"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// A database is displaced when its file was removed or replaced, or its volume
// unmounted, while the bot has it open. SQLite in WAL mode does not notice: it
// writes on into a file that has no name, which is gone with the last connection.
// So who has it open is asked for the content before the connections are closed,
// and no connection to what lies there now is opened beside them.

// errDisplaced is why a connection is not opened.
var errDisplaced = errors.New("the database was removed or replaced under the running program")

func (s *Store) displacedError() error {
	return &holdfast.Error{Op: "use", Object: s.o.Database, Err: errDisplaced}
}

// glance is how often a look at the name of the database is taken.
const glance = time.Second

// inPlace is the file that the bot has open where the database belongs.
type inPlace struct {
	info os.FileInfo
	// same tells that the file system keeps the identity of a file. Others may
	// show another one after a while; there only a name that is gone counts.
	same bool
}

// remember takes down which file the bot works with.
func (s *Store) remember() {
	var file *inPlace
	if info, err := os.Stat(s.o.Database); err == nil {
		on, err := volume.Stat(s.o.Database)
		file = &inPlace{info: info, same: err == nil && !on.Network() && !strings.HasPrefix(on.Kind, "fuse")}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.degraded != nil {
		file = nil
	}
	s.file = file
}

// displaced tells whether the database that the bot has open is no longer the one
// that lies where it belongs. The files are not opened.
func (s *Store) displaced() bool {
	s.mu.Lock()
	file := s.file
	s.mu.Unlock()
	if file == nil {
		return false
	}
	now, err := os.Stat(s.o.Database)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	}
	return file.same && !os.SameFile(file.info, now)
}

// orDisplaced takes a displaced database for a storage that cannot hold it.
func (s *Store) orDisplaced(isFault func(error) (storage, sure bool)) func(error) (storage, sure bool) {
	return func(err error) (storage, sure bool) {
		if errors.Is(err, errDisplaced) {
			return true, true
		}
		return isFault(err)
	}
}

// openInPlace opens a connection, unless it would be to another database than
// those that are open already.
func (s *Store) openInPlace(ctx context.Context, open pool.Opener, uri string) (driver.Conn, error) {
	if uri != s.diskURI {
		return open(ctx, uri)
	}
	if s.displaced() {
		return nil, s.displacedError()
	}
	conn, err := open(ctx, uri)
	if err == nil && s.displaced() { // just now
		return nil, errors.Join(s.displacedError(), conn.Close())
	}
	return conn, err
}

// rescued makes a location in memory with the content of a displaced database, as
// its open connections see it.
func (s *Store) rescued(ctx context.Context, hold *pool.Hold) (*location, error) {
	return s.loaded(ctx, origin{fill: func(_ context.Context, l *location) error {
		to := l.uri
		if s.o.Open != nil {
			to = l.at
		}
		return hold.Execute(fmt.Sprintf("VACUUM INTO '%s'", strings.ReplaceAll(to, "'", "''")))
	}})
}

// ailing tells what is wrong with the storage of a database that lies on disk.
func (s *Store) ailing(ctx context.Context) error {
	if s.displaced() {
		return s.displacedError()
	}
	return probe.Quick(ctx, filepath.Dir(s.o.Database), 0)
}

// works tells whether the storage can take the database back. A directory that is
// gone is made again, as at a start.
func (s *Store) works(ctx context.Context, need int64) error {
	dir := filepath.Dir(s.o.Database)
	if err := durable.MkdirAll(durable.OS, dir, 0o700); err != nil {
		return err
	}
	return probe.Quick(ctx, dir, need)
}

// lookOut waits, but no longer than until the database is displaced. It tells
// whether ctx goes on.
func (s *Store) lookOut(ctx context.Context, wait time.Duration) bool {
	for end := time.Now().Add(wait); ; {
		if !pause(ctx, min(time.Until(end), glance)) {
			return false
		}
		if s.displaced() || !time.Now().Before(end) {
			return true
		}
	}
}
