package telegramtest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// state is everything that survives in a folder.
type state struct {
	Token       string
	Bot         Account
	Users       map[int64]*person
	Chats       map[int64]*room
	Files       map[string]*file // by file_id
	Queries     map[string]*query
	Updates     queue
	LastUpdate  int64
	LastMessage int // of private chats and groups, which count together
	LastFile    int
	LastQuery   int64
	Allowed     []string // kinds of updates that the bot asked for; nil: the default ones
	Hook        *hook
	Commands    map[string][]command // by scope and language
}

// A person is a user that Telegram knows.
type person struct {
	Account
	Started bool // has a chat with the bot
	Blocked bool // has blocked the bot
}

// open makes or reads the folder.
func (s *Server) open() error {
	if s.dir == "" {
		dir, err := os.MkdirTemp("", "telegramtest-")
		if err != nil {
			return err
		}
		s.dir = dir
	}
	s.files = filepath.Join(s.dir, "files")
	if err := os.MkdirAll(s.files, 0o700); err != nil {
		return err
	}
	id, err := botID(s.o.Token)
	if err != nil {
		return err
	}
	s.state = state{
		Token:       s.o.Token,
		Bot:         Account{ID: id, IsBot: true, FirstName: s.o.Name, Username: "holdfast_test_bot"},
		Users:       map[int64]*person{},
		Chats:       map[int64]*room{},
		Files:       map[string]*file{},
		Queries:     map[string]*query{},
		Commands:    map[string][]command{},
		LastUpdate:  701_000_000,
		LastMessage: 100,
	}
	b, err := os.ReadFile(s.stateFile())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	if err := json.Unmarshal(b, &s.state); err != nil {
		return fmt.Errorf("read the state of the double in %s: %w", s.stateFile(), err)
	}
	s.state.Token = s.o.Token
	return nil
}

func (s *Server) stateFile() string { return filepath.Join(s.dir, "state.json") }

// touch ends a change: whoever waits looks again, and the folder has it. The
// lock is held.
func (s *Server) touch() {
	s.changes++
	s.wake()
	if s.o.Dir == "" {
		return
	}
	if err := s.save(); err != nil {
		s.wrong(fmt.Errorf("save the state: %w", err))
	}
}

// wake makes whoever waits look again. The lock is held.
func (s *Server) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *Server) save() error {
	b, err := json.Marshal(&s.state)
	if err != nil {
		return err
	}
	next := s.stateFile() + ".new"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.stateFile())
}

// botID is the part of a token that is no secret.
func botID(token string) (int64, error) {
	head, secret, ok := strings.Cut(token, ":")
	id, err := strconv.ParseInt(head, 10, 64)
	if !ok || err != nil || id <= 0 || secret == "" {
		return 0, errors.New("a token is the bot's number, a colon and a secret")
	}
	return id, nil
}

// newID gives an id that says nothing, as those of files and queries.
func newID(prefix string) string { return prefix + rand.Text() }
