package panel

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// stateFile is where the panel keeps what it has to know after a restart.
const stateFile = "telegram-panel.json"

// mostState bounds what is read of it.
const mostState = 1 << 20

// mostWatched bounds the messages that are remembered.
const mostWatched = 100

// A state is what the panel knows over restarts. Losing it costs people their choice of a
// language, and old messages their last word; nothing else.
type state struct {
	path string

	mu   sync.Mutex
	kept kept
}

type kept struct {
	// Languages are those that people chose, Spoken those that their Telegram speaks.
	Languages map[int64]locale.Lang `json:"languages,omitempty"`
	Spoken    map[int64]string      `json:"spoken,omitempty"`
	// Watched are the messages that show work which has not ended.
	Watched []watched `json:"watched,omitempty"`
}

// A watched is a message that shows a job.
type watched struct {
	Job     string `json:"job"`
	Chat    int64  `json:"chat"`
	Message int    `json:"message,omitempty"` // 0: it shows something else now
	User    int64  `json:"user"`
}

// openState reads what was kept; what cannot be read is begun anew.
func openState(dir string) (*state, error) {
	s := &state{}
	if dir == "" {
		return s, nil
	}
	s.path = filepath.Join(dir, stateFile)
	info, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return s, nil
	case err != nil:
		return s, err
	case info.Size() > mostState:
		return s, holdfast.Kindf(holdfast.ErrDamaged, "%s is too large", s.path)
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(data, &s.kept); err != nil {
		s.kept = kept{}
		return s, holdfast.Kindf(holdfast.ErrDamaged, "%s: %w", s.path, err)
	}
	return s, nil
}

// change changes what is kept, and writes it down.
func (s *state) change(how func(*kept)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept.Languages == nil {
		s.kept.Languages = map[int64]locale.Lang{}
	}
	if s.kept.Spoken == nil {
		s.kept.Spoken = map[int64]string{}
	}
	how(&s.kept)
	if s.path == "" {
		return nil
	}
	data, err := json.Marshal(s.kept)
	if err != nil {
		return err
	}
	if err := durable.MkdirAll(durable.OS, filepath.Dir(s.path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(durable.OS, s.path, append(data, '\n'), 0o600)
}

// look reads what is kept.
func (s *state) look(how func(kept)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(s.kept)
}

// watch remembers a message, forget forgets it.
func (s *state) watch(w watched) error {
	return s.change(func(k *kept) {
		k.Watched = append(without(k.Watched, w), w)
		if more := len(k.Watched) - mostWatched; more > 0 {
			k.Watched = slices.Delete(k.Watched, 0, more)
		}
	})
}

func (s *state) forget(w watched) error {
	return s.change(func(k *kept) { k.Watched = without(k.Watched, w) })
}

// without leaves out what is remembered of a job in a chat.
func without(all []watched, w watched) []watched {
	return slices.DeleteFunc(all, func(o watched) bool { return o.Job == w.Job && o.Chat == w.Chat })
}
