package supervise

import (
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// A place is where one source belongs and where it lies now.
type place struct {
	conf config.Source
	home holdfast.Source

	shared    *flock.Flock // of the folder that it lies in while it is away
	notBefore time.Time    // when bringing it home is tried again

	mu    sync.Mutex
	away  holdfast.Source // while the storage cannot hold it
	born  bool            // it was there since the start
	stand holdfast.SourceStanding
}

func newPlace(conf config.Source) (*place, error) {
	if conf.Server != nil {
		return nil, &holdfast.Error{
			Op: "run", Object: conf.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "its data is on the server at %s, not on this machine", conf.Location()),
			Hint: "give run the sources that the program keeps here (--sqlite, --chroma, --files), and back up the server with `holdfast backup` or `holdfast serve`",
		}
	}
	abs, err := filepath.Abs(conf.Path)
	if err != nil {
		return nil, &holdfast.Error{Op: "source", Object: conf.Name, Err: err}
	}
	conf.Path = abs
	home, err := wire.Source(conf)
	if err != nil {
		return nil, err
	}
	return &place{conf: conf, home: home, stand: holdfast.SourceStanding{Name: conf.Name, Kind: conf.Kind, Path: abs}}, nil
}

// source is the source where it lies now.
func (p *place) source() holdfast.Source {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away != nil {
		return p.away
	}
	return p.home
}

// path is where the program finds it now.
func (p *place) path() string { return p.source().Target().Path }

// standing is a copy of what is known of it.
func (p *place) standing() holdfast.SourceStanding {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stand
}

// note changes what is known of it.
func (p *place) note(change func(*holdfast.SourceStanding)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.stand)
}

// isAway tells whether it lies elsewhere than it belongs.
func (p *place) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.away != nil
}

// needsStorage tells whether its directory must be one that a database can live
// in. Files are only read.
func (p *place) needsStorage() bool { return p.conf.Kind != holdfast.KindFiles }
