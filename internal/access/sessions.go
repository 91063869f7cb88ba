package access

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/holdfast-backup/holdfast"
)

const (
	// mostSessions bounds what is kept. Beyond it whoever has most of them loses the
	// one that was quiet for longest, so that nobody can end those of others.
	mostSessions = 1000
	sessionsSize = 2 << 20 // also where JSON escapes all of the names of browsers
	agentLimit   = 256
	// seenEvery is how often it is written down that a session is used.
	seenEvery = 5 * time.Minute
)

// sessions are those of one state directory. Keys are made, exchanged and digested by
// scs; which session is good, and where it is kept, is decided here, by the clock and
// the settings of the door.
type sessions struct {
	file   *stateFile[sessionFile]
	keys   *scs.SessionManager
	limits func() (idle, lifetime time.Duration)
	now    func() time.Time
	log    *slog.Logger
	toldAt atomic.Int64

	mu   sync.Mutex
	seen map[string]time.Time // of sessions by id, what is not written yet
}

// sessionFile is what the file holds.
type sessionFile struct {
	Format   int             `json:"format"`
	Salt     string          `json:"salt"` // of the hash of a configured password
	Sessions []sessionRecord `json:"sessions"`
}

func newSessions(dir string, now func() time.Time, log *slog.Logger, limits func() (idle, lifetime time.Duration)) *sessions {
	s := &sessions{
		file: &stateFile[sessionFile]{
			name: filepath.Join(dir, sessionsName), limit: sessionsSize, check: checkSessionFile, now: now,
			hint: "whoever was logged in logs in again, which writes it anew",
		},
		limits: limits, now: now, log: log, seen: map[string]time.Time{},
	}
	// Not by scs.New, which starts what clears up a store that is not ours.
	s.keys = &scs.SessionManager{HashTokenInStore: true, Codec: sessionCodec{}, Store: sessionStore{s}}
	return s
}

func checkSessionFile(f *sessionFile) error {
	salt, err := hex.DecodeString(f.Salt)
	switch {
	case f.Format != formatVersion:
		return errors.New("it is of another version of holdfast")
	case err != nil || len(salt) != saltBytes:
		return errors.New("it has no salt")
	case len(f.Sessions) > mostSessions:
		return fmt.Errorf("it has more than %d sessions", mostSessions)
	}
	keys, ids := map[string]bool{}, map[string]bool{}
	for _, s := range f.Sessions {
		if !isID(s.ID) || s.Key == "" || s.CreatedAt.IsZero() || s.SeenAt.IsZero() || keys[s.Key] || ids[s.ID] ||
			(s.Token == "") == (s.Password == "") || s.Token != "" && !isID(s.Token) || (s.Token == "") != (s.Name == Owner) {
			return errors.New("it holds a session that is not one of ours")
		}
		keys[s.Key], ids[s.ID] = true, true
	}
	return nil
}

// all gives the sessions that are kept, and none where they cannot be read: they have
// ended then, and the log tells why.
func (s *sessions) all() []sessionRecord {
	f, err := s.file.get()
	if err != nil {
		if minute := s.now().Unix() / 60; s.toldAt.Swap(minute) != minute {
			s.log.Error("all sessions have ended: whoever was logged in logs in again", "error", err, "hint", holdfast.HintOf(err))
		}
		return nil
	}
	if f == nil {
		return nil
	}
	out := slices.Clone(f.Sessions)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range out {
		if at, ok := s.seen[out[i].ID]; ok && at.After(out[i].SeenAt.Time) {
			out[i].SeenAt = holdfast.At(at)
		}
	}
	return out
}

// list gives the sessions whose time is not over.
func (s *sessions) list() ([]sessionRecord, error) {
	idle, lifetime := s.limits()
	return slices.DeleteFunc(s.all(), func(r sessionRecord) bool { return r.ended(s.now(), idle, lifetime) }), nil
}

// byID gives a session whose time is not over.
func (s *sessions) byID(id string) (sessionRecord, bool) {
	all, _ := s.list()
	i := slices.IndexFunc(all, func(r sessionRecord) bool { return r.ID == id })
	if i < 0 {
		return sessionRecord{}, false
	}
	return all[i], true
}

// find gives the session of a key; used tells that it is to go on for longer.
func (s *sessions) find(ctx context.Context, key string, used bool) (sessionRecord, bool) {
	ctx, err := s.keys.Load(ctx, key)
	if err != nil {
		return sessionRecord{}, false
	}
	r, ok := s.keys.Get(ctx, sessionValue).(sessionRecord)
	if ok && used {
		s.use(r)
	}
	return r, ok
}

// use notes that a session is used. If that cannot be written, the session is good all
// the same, and shorter after a restart.
func (s *sessions) use(r sessionRecord) {
	now := s.now()
	s.mu.Lock()
	s.seen[r.ID] = now
	s.mu.Unlock()
	f, err := s.file.get()
	if err != nil || f == nil {
		return
	}
	i := slices.IndexFunc(f.Sessions, func(o sessionRecord) bool { return o.ID == r.ID })
	if i < 0 || now.Sub(f.Sessions[i].SeenAt.Time) < seenEvery {
		return
	}
	_ = s.change(0, func(*sessionFile) error { return nil })
}

// begin makes a session, in the place of the one whose key was presented, and gives its
// key.
func (s *sessions) begin(ctx context.Context, former string, r sessionRecord) (key string, err error) {
	if ctx, err = s.keys.Load(ctx, former); err != nil {
		return "", err
	}
	// Whatever key came with the request, nobody but this browser knows the new one.
	if err := s.keys.RenewToken(ctx); err != nil {
		return "", err
	}
	random := make([]byte, idBytes)
	_, _ = rand.Read(random) // it never fails
	r.ID, r.CreatedAt, r.SeenAt = hex.EncodeToString(random), holdfast.At(s.now()), holdfast.At(s.now())
	s.keys.Put(ctx, sessionValue, r)
	key, _, err = s.keys.Commit(ctx)
	return key, err
}

// end ends a session. Where that cannot be written it says so in the log.
func (s *sessions) end(id string) {
	if _, err := s.endAll(func(r sessionRecord) bool { return r.ID == id }); err != nil {
		s.log.Error("a session could not be ended", "session", id, "error", err)
	}
}

// endAll ends some sessions, and tells how many.
func (s *sessions) endAll(which func(sessionRecord) bool) (n int, err error) {
	if !slices.ContainsFunc(s.all(), which) {
		return 0, nil
	}
	err = s.change(lockPatience, func(f *sessionFile) error {
		before := len(f.Sessions)
		f.Sessions = slices.DeleteFunc(f.Sessions, which)
		n = before - len(f.Sessions)
		return nil
	})
	return n, err
}

// change edits the file, and takes what has ended out of it. One that cannot be read
// begins anew: its sessions have ended.
func (s *sessions) change(patience time.Duration, edit func(*sessionFile) error) error {
	idle, lifetime := s.limits()
	written := map[string]time.Time{}
	err := s.file.replace(patience, true, func(f *sessionFile) error {
		if f.Format == 0 {
			salt := make([]byte, saltBytes)
			_, _ = rand.Read(salt) // it never fails
			f.Format, f.Salt, f.Sessions = formatVersion, hex.EncodeToString(salt), []sessionRecord{}
		}
		s.mu.Lock()
		for i := range f.Sessions {
			if at, ok := s.seen[f.Sessions[i].ID]; ok && at.After(f.Sessions[i].SeenAt.Time) {
				f.Sessions[i].SeenAt = holdfast.At(at)
			}
		}
		maps.Copy(written, s.seen)
		s.mu.Unlock()
		f.Sessions = slices.DeleteFunc(f.Sessions, func(r sessionRecord) bool { return r.ended(s.now(), idle, lifetime) })
		return edit(f)
	})
	if err != nil {
		return err // what was seen is not written, and counts on
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.seen, func(id string, at time.Time) bool { return at.Equal(written[id]) })
	return nil
}

// salt gives the salt by which a configured password is derived; it is made once.
func (s *sessions) salt() ([]byte, error) {
	f, err := s.file.get()
	if f == nil || err != nil {
		if err := s.change(lockPatience, func(*sessionFile) error { return nil }); err != nil {
			return nil, err
		}
		if f, err = s.file.get(); err != nil {
			return nil, err
		}
	}
	return hex.DecodeString(f.Salt)
}

// room drops a session if there are as many as there may be.
func (f *sessionFile) room() {
	for len(f.Sessions) >= mostSessions {
		of := map[string]int{}
		for _, s := range f.Sessions {
			of[s.Token]++
		}
		drop := 0
		for i, s := range f.Sessions {
			d := f.Sessions[drop]
			if of[s.Token] > of[d.Token] || of[s.Token] == of[d.Token] && s.SeenAt.Before(d.SeenAt.Time) {
				drop = i
			}
		}
		f.Sessions = slices.Delete(f.Sessions, drop, drop+1)
	}
}

// sessionValue is the one value that scs keeps of a session.
const sessionValue = "session"

// sessionCodec writes the record alone: when it ends is decided when it is read.
type sessionCodec struct{}

// Encode implements scs.Codec.
func (sessionCodec) Encode(_ time.Time, values map[string]any) ([]byte, error) {
	return json.Marshal(values[sessionValue])
}

// Decode implements scs.Codec.
func (sessionCodec) Decode(b []byte) (time.Time, map[string]any, error) {
	var r sessionRecord
	err := json.Unmarshal(b, &r)
	return time.Time{}, map[string]any{sessionValue: r}, err
}

// sessionStore is the file as scs sees it; what it calls a token is a digest here.
type sessionStore struct{ of *sessions }

// Find implements scs.Store.
func (s sessionStore) Find(digest string) ([]byte, bool, error) {
	idle, lifetime := s.of.limits()
	all := s.of.all()
	i := slices.IndexFunc(all, func(r sessionRecord) bool { return r.Key == digest })
	if i < 0 {
		return nil, false, nil
	}
	if all[i].ended(s.of.now(), idle, lifetime) {
		s.of.end(all[i].ID) // also if the clock is set back later
		return nil, false, nil
	}
	b, err := json.Marshal(all[i])
	return b, true, err
}

// Commit implements scs.Store.
func (s sessionStore) Commit(digest string, b []byte, _ time.Time) error {
	var r sessionRecord
	if err := json.Unmarshal(b, &r); err != nil {
		return err
	}
	r.Key = digest
	return s.of.change(lockPatience, func(f *sessionFile) error {
		f.Sessions = slices.DeleteFunc(f.Sessions, func(o sessionRecord) bool { return o.Key == digest })
		f.room()
		f.Sessions = append(f.Sessions, r)
		return nil
	})
}

// Delete implements scs.Store.
func (s sessionStore) Delete(digest string) error {
	_, err := s.of.endAll(func(r sessionRecord) bool { return r.Key == digest })
	return err
}
