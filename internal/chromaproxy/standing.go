package chromaproxy

import (
	"encoding/json"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Standing is how a proxy does: what has gone through it, and its last backup.
type Standing struct {
	Upstream    string         `json:"upstream"`
	Reads       int64          `json:"reads"`
	Writes      int64          `json:"writes"`
	Deletions   int64          `json:"deletions"`
	Backups     int64          `json:"backups"`
	Failures    int64          `json:"failures"`    // backups that failed
	Refused     int64          `json:"refused"`     // writes, for want of a backup
	Unprotected int64          `json:"unprotected"` // writes that passed without
	Unanswered  int64          `json:"unanswered"`  // requests that the server did not answer
	Waiting     int            `json:"waiting"`     // writes, for a backup
	Active      int            `json:"active"`      // writes in flight
	LastBackup  *holdfast.Time `json:"last_backup,omitempty"`
	LastFailure *holdfast.Time `json:"last_failure,omitempty"`
	Failure     string         `json:"failure,omitempty"` // the last one, until a backup has succeeded
}

// book is what a Standing is made of.
type book struct {
	now                         func() time.Time
	kinds                       [Deletion + 1]atomic.Int64
	refused, passed, unanswered atomic.Int64

	mu          sync.Mutex
	backups     int64
	failures    int64
	lastBackup  *holdfast.Time
	lastFailure *holdfast.Time
	failure     string
}

func (b *book) count(kind Kind) { b.kinds[kind].Add(1) }

// backedUp counts a backup.
func (b *book) backedUp(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at := new(holdfast.At(b.now()))
	if err != nil {
		b.failures++
		b.lastFailure, b.failure = at, err.Error()
		return
	}
	b.backups++
	b.lastBackup, b.failure = at, ""
}

// Standing tells how the proxy does.
func (p *Proxy) Standing() Standing {
	b := &p.book
	s := Standing{
		Upstream: p.upstream.String(),
		Reads:    b.kinds[Read].Load(), Writes: b.kinds[Write].Load(), Deletions: b.kinds[Deletion].Load(),
		Refused: b.refused.Load(), Unprotected: b.passed.Load(), Unanswered: b.unanswered.Load(),
	}
	s.Waiting, s.Active = p.gate.load()
	b.mu.Lock()
	defer b.mu.Unlock()
	s.Backups, s.Failures = b.backups, b.failures
	s.LastBackup, s.LastFailure, s.Failure = b.lastBackup, b.lastFailure, b.failure
	return s
}

// fail answers in the shape of Chroma's own errors, which its clients show.
func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}{http.StatusText(status), message}) // whoever asked has left if this fails
}
