package access

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

// Owner is the name of whoever has the password. No token can have it.
const Owner = "owner"

// hashesAtOnce bounds the passwords that are derived at the same time.
const hashesAtOnce = 2

// passwords are the one password of a state directory, or of the configuration, which
// goes before it.
type passwords struct {
	file    *stateFile[passwordFile]
	hashing hashing
	former  atomic.Pointer[string] // where the file may have been before, as of Tokens
	// nobodys is what a password is compared with where there is none, so that this
	// takes as long.
	nobodys passwordHash
	salt    func() ([]byte, error) // of the hash of a configured password

	mu         sync.Mutex
	configured string
	derived    *credential // from configured, with its salt
}

// passwordFile is what the file holds. A password that was taken away leaves one
// without a hash.
type passwordFile struct {
	Format int            `json:"format"`
	ID     string         `json:"id,omitempty"` // sessions name the password that opened them
	Hash   string         `json:"hash,omitempty"`
	SetAt  *holdfast.Time `json:"set_at,omitempty"`
}

// A credential is the password that is good now.
type credential struct {
	id   string
	hash passwordHash
}

func newPasswords(dir string, now func() time.Time, salt func() ([]byte, error)) *passwords {
	random := make([]byte, saltBytes+keyBytes)
	_, _ = rand.Read(random) // it never fails
	return &passwords{
		file: &stateFile[passwordFile]{
			name: filepath.Join(dir, passwordName), limit: 64 << 10, check: checkPasswordFile, now: now,
			hint: "if it cannot be put right, `holdfast password set` writes it anew",
		},
		hashing: make(hashing, hashesAtOnce),
		nobodys: passwordHash{memory: hashMemory, passes: hashPasses, threads: hashThreads, salt: random[:saltBytes], key: random[saltBytes:]},
		salt:    salt,
	}
}

func checkPasswordFile(f *passwordFile) error {
	if f.Format != formatVersion {
		return errors.New("it is of another version of holdfast")
	}
	if f.Hash == "" {
		return nil
	}
	if _, err := hex.DecodeString(f.ID); err != nil || len(f.ID) != hex.EncodedLen(idBytes) {
		return errors.New("its password has no id")
	}
	_, err := parseHash(f.Hash)
	return err
}

// configure takes the password of the configuration; empty is none.
func (p *passwords) configure(password string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.configured != password {
		p.configured, p.derived = password, nil
	}
}

func (p *passwords) isConfigured() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.configured != ""
}

// there tells whether there is a password; an error is that nobody can know.
func (p *passwords) there() (bool, error) {
	if p.isConfigured() {
		return true, nil
	}
	f, err := p.kept()
	return f != nil && f.Hash != "", err
}

// kept gives what the file holds, and nil where there is none: unless it lies at the former
// place, where it must not stay behind and leave the door open.
func (p *passwords) kept() (*passwordFile, error) {
	f, err := p.file.get()
	former := p.former.Load()
	if f != nil || err != nil || former == nil || *former == "" || sameFile(*former, p.file.name) {
		return f, err
	}
	if _, err := os.Lstat(*former); err != nil {
		return nil, nil //nolint:nilerr // nothing there that could be asked for
	}
	behind := stateFile[passwordFile]{name: *former, limit: p.file.limit, check: p.file.check, now: p.file.now}
	if old, err := behind.get(); err == nil && (old == nil || old.Hash == "") {
		return nil, nil
	}
	return nil, &holdfast.Error{
		Op: "read the password", Object: p.file.name, Err: fmt.Errorf("it is not there, and %s is", *former),
		Hint: "the state directory is another one now: move the file there, or `holdfast password set` sets another one",
	}
}

// lookAlso is that of Tokens.
func (p *passwords) lookAlso(folder string) {
	file := ""
	if folder != "" {
		file = filepath.Join(folder, passwordName)
	}
	p.former.Store(&file)
}

// current gives the password that is good now, nil if there is none.
func (p *passwords) current(ctx context.Context) (*credential, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.configured == "" {
		f, err := p.kept()
		if err != nil || f == nil || f.Hash == "" {
			return nil, err
		}
		hash, err := parseHash(f.Hash)
		return &credential{id: f.ID, hash: hash}, err
	}
	salt, err := p.salt()
	if err != nil {
		return nil, err
	}
	if p.derived != nil && string(p.derived.hash.salt) == string(salt) {
		return p.derived, nil
	}
	hash, err := p.hashing.derive(ctx, p.configured, salt)
	if err != nil {
		return nil, err
	}
	// The id is the same after a restart, and another one for another password.
	p.derived = &credential{id: hex.EncodeToString(hash.key[:idBytes]), hash: hash}
	return p.derived, nil
}

// check tells whether a password is the right one, and gives what it opens sessions by.
// It takes as long if there is none.
func (p *passwords) check(ctx context.Context, password string) (id string, right bool, err error) {
	now, err := p.current(ctx)
	if err != nil {
		return "", false, err
	}
	if now == nil {
		_, err := p.hashing.matches(ctx, p.nobodys, password)
		return "", false, err
	}
	right, err = p.hashing.matches(ctx, now.hash, password)
	return now.id, right, err
}

// set makes a password the one of the state directory; empty takes it away.
func (p *passwords) set(ctx context.Context, password string) (id string, err error) {
	next := passwordFile{Format: formatVersion}
	if password != "" {
		hash, err := p.hashing.fresh(ctx, password)
		if err != nil {
			return "", err
		}
		random := make([]byte, idBytes)
		_, _ = rand.Read(random) // it never fails
		next.ID, next.Hash, next.SetAt = hex.EncodeToString(random), hash.String(), new(holdfast.At(p.file.now()))
	}
	// Whatever the file held: a password that cannot be read is put right like this.
	err = p.file.replace(lockPatience, true, func(f *passwordFile) error {
		*f = next
		return nil
	})
	return next.ID, err
}

// HasPassword tells whether the pages have a password, also one that cannot be read.
func (a *Access) HasPassword() bool {
	there, err := a.passwords.there()
	return there || err != nil
}

// PasswordConfigured tells that the password is that of the configuration, which is
// changed there.
func (a *Access) PasswordConfigured() bool { return a.passwords.isConfigured() }

// SetPassword gives the pages another password, or their first one, which closes the
// API as the first token does. All sessions that were opened by the former one end.
// Who may do it is for the caller to know; ChangePassword asks.
func (a *Access) SetPassword(ctx context.Context, password string) (err error) {
	defer func() { a.done(ctx, "password set", err) }()
	_, err = a.setPassword(ctx, password)
	return err
}

func (a *Access) setPassword(ctx context.Context, password string) (id string, err error) {
	if err := a.mayChange(); err != nil {
		return "", err
	}
	if err := config.CheckPassword(password); err != nil {
		return "", &holdfast.Error{Op: "password", Err: holdfast.Kindf(holdfast.ErrUsage, "%s", strings.TrimPrefix(err.Error(), "the password ")), Hint: "choose a longer one; several words are easy to remember"}
	}
	return a.passwords.set(ctx, password)
}

// RemovePassword takes the password away, and ends the sessions that were opened by it.
// It tells whether there was one.
func (a *Access) RemovePassword(ctx context.Context) (was bool, err error) {
	defer func() { a.done(ctx, "password remove", err) }()
	if err := a.mayChange(); err != nil {
		return false, err
	}
	was = a.HasPassword()
	if !was {
		return false, nil
	}
	_, err = a.passwords.set(ctx, "")
	return was, err
}

// mayChange refuses to change a password that is not of the state directory.
func (a *Access) mayChange() error {
	if !a.PasswordConfigured() {
		return nil
	}
	return &holdfast.Error{
		Op: "password", Err: holdfast.Kindf(holdfast.ErrRefused, "it is configured: serve.password"),
		Hint: "change it where it is set (HOLDFAST_SERVE_PASSWORD or HOLDFAST_SERVE_PASSWORD_FILE), and start the daemon anew",
	}
}

// done writes down what was done to the password: as that of the visit, or else of the
// command line.
func (a *Access) done(ctx context.Context, what string, err error) {
	if _, visited := ctx.Value(visitKey{}).(*visit); visited {
		Note(ctx, Facts{Object: what})
		return
	}
	a.audit.command(what, Owner, err)
}
