package access

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/planted"
)

const (
	formatVersion = 1
	mostTokens    = 1000
	fileLimit     = 1 << 20
	// lookAgain bounds how long a change of the file could go unseen if its
	// time, size and identity did not tell.
	lookAgain = time.Second
	// useEvery is how often the last use of a token is written down.
	useEvery = time.Hour
)

// Tokens are those of one state directory: a file that the command line changes
// while the daemon reads it. Changes are made under a lock and replace the whole
// file. A file that cannot be read, or is not one of ours, gives no token at all.
type Tokens struct {
	file  string
	now   func() time.Time
	audit *Audit

	former atomic.Pointer[string] // where the file may have been before; empty: nowhere

	mu      sync.Mutex
	known   []record
	seen    fs.FileInfo // of the file that known was read from
	readAt  time.Time
	readErr error
}

// tokenFile is what the file holds.
type tokenFile struct {
	Format int      `json:"format"`
	Tokens []record `json:"tokens"`
}

// Create makes a token and gives it. It is not kept, so nobody can show it again.
// A zero expires is never.
func (t *Tokens) Create(name string, scopes Scopes, expires time.Time) (token string, made Token, err error) {
	defer func() { t.audit.command("token create", name, err) }()
	return t.create(name, scopes, expires)
}

func (t *Tokens) create(name string, scopes Scopes, expires time.Time) (token string, made Token, err error) {
	if name, err = tokenName(name); err != nil {
		return "", Token{}, err
	}
	if len(scopes) == 0 {
		_, err = ParseScopes(nil)
		return "", Token{}, err
	}
	id, secret := newSecret()
	made = Token{Name: name, ID: id, Scopes: slices.Clone(scopes), CreatedAt: holdfast.At(t.now())}
	if !expires.IsZero() {
		made.ExpiresAt = new(holdfast.At(expires))
	}
	if made.Expired(t.now()) {
		return "", Token{}, &holdfast.Error{Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrUsage, "it would have expired already")}
	}
	err = t.change(func(all []record) ([]record, error) {
		if slices.ContainsFunc(all, func(r record) bool { return r.Name == name }) {
			return nil, &holdfast.Error{
				Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "there is one of that name"),
				Hint: "choose another name, or take it back first: holdfast token revoke " + name,
			}
		}
		if len(all) >= mostTokens {
			return nil, &holdfast.Error{Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "there are %d tokens already", len(all)), Hint: "take back those that nobody uses: holdfast token list"}
		}
		return append(all, record{Token: made, Hash: digest(secret)}), nil
	})
	if err != nil {
		return "", Token{}, err
	}
	return form(id, secret), made, nil
}

// List gives the tokens in the order in which they were made.
func (t *Tokens) List() ([]Token, error) {
	all, err := t.records()
	if err != nil {
		return nil, err
	}
	out := make([]Token, len(all))
	for i, r := range all {
		out[i] = r.Token
	}
	return out, nil
}

// Revoke takes a token back, and tells how many are left.
func (t *Tokens) Revoke(name string) (left int, err error) {
	defer func() { t.audit.command("token revoke", name, err) }()
	return t.revoke(name, 0)
}

// revoke takes a token back, unless fewer would be left than there must be.
func (t *Tokens) revoke(name string, least int) (left int, err error) {
	err = t.change(func(all []record) ([]record, error) {
		i := slices.IndexFunc(all, func(r record) bool { return r.Name == name })
		if i < 0 {
			return nil, &holdfast.Error{Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrNotFound, "there is none of that name"), Hint: "`holdfast token list` shows those that are there"}
		}
		all = slices.Delete(all, i, i+1)
		if left = len(all); left < least {
			return nil, &holdfast.Error{
				Op: "token", Object: name, Err: holdfast.Kindf(holdfast.ErrRefused, "it is the last one, and there is no password: everybody on the machine could do everything"),
				Hint: "set a password first, or take it back on the machine itself: holdfast token revoke " + name,
			}
		}
		return all, nil
	})
	return left, err
}

// usable tells whether there is a token that has not expired.
func (t *Tokens) usable() (bool, error) {
	all, err := t.records()
	now := t.now()
	return slices.ContainsFunc(all, func(r record) bool { return !r.Expired(now) }), err
}

// caller gives the one who has the token.
func (t *Tokens) caller(token string) (Caller, error) {
	all, err := t.records()
	if err != nil {
		return Caller{}, err
	}
	id, secret, ok := splitToken(token)
	if !ok {
		return Caller{}, errBadToken()
	}
	i := slices.IndexFunc(all, func(r record) bool { return r.ID == id })
	if i < 0 {
		// As long as the comparison takes: it should not tell which ids exist.
		record{Hash: digest("")}.matches(secret)
		return Caller{}, errBadToken()
	}
	r := all[i]
	switch {
	case !r.matches(secret):
		return Caller{}, errBadToken()
	case r.Expired(t.now()):
		return Caller{}, &holdfast.Error{
			Op: "token", Object: r.Name, Err: kindf(ErrUnauthorized, "it expired %s", r.ExpiresAt),
			Hint: "create another one: holdfast token create NAME --scope " + string(r.Scopes[0]),
		}
	}
	t.used(r.Token)
	return Caller{Name: r.Name, Token: r.ID, Scopes: r.Scopes}, nil
}

// touch is used for the token with an id, if there is one: its sessions use it, too.
func (t *Tokens) touch(id string) {
	all, err := t.records()
	if i := slices.IndexFunc(all, func(r record) bool { return r.ID == id }); err == nil && i >= 0 {
		t.used(all[i].Token)
	}
}

// used writes down that a token was used, now and then. If that fails the token
// is good all the same: the time is a help for whoever cleans up, no more.
func (t *Tokens) used(of Token) {
	now := t.now()
	if of.LastUsedAt != nil && now.Sub(of.LastUsedAt.Time) < useEvery {
		return
	}
	at := new(holdfast.At(now))
	t.mu.Lock()
	for i := range t.known { // also if it cannot be written, so that it is not tried each time
		if t.known[i].ID == of.ID {
			t.known[i].LastUsedAt = at
		}
	}
	t.mu.Unlock()
	_ = t.try(func(all []record) ([]record, error) {
		for i := range all {
			if all[i].ID == of.ID {
				all[i].LastUsedAt = at
			}
		}
		return all, nil
	})
}

// records gives what the file holds, from memory while it has not changed.
func (t *Tokens) records() ([]record, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	info, err := os.Lstat(t.file)
	if errors.Is(err, fs.ErrNotExist) {
		if t.seen != nil && t.readErr == nil {
			// Taking the last token back leaves a file: this one was removed
			// or lost, which must not open the door.
			return nil, t.unreadable(errors.New("it was there and has vanished"))
		}
		return nil, errors.Join(t.readErr, t.leftBehind())
	}
	if err != nil {
		return nil, t.unreadable(err)
	}
	now := t.now()
	same := t.seen != nil && os.SameFile(t.seen, info) && t.seen.ModTime().Equal(info.ModTime()) && t.seen.Size() == info.Size()
	if age := now.Sub(t.readAt); same && age >= 0 && age < lookAgain {
		return slices.Clone(t.known), t.readErr
	}
	known, err := t.read()
	if err == nil && same {
		keepUses(known, t.known)
	}
	t.known, t.seen, t.readAt, t.readErr = known, info, now, err
	return slices.Clone(known), err
}

// keepUses keeps the last uses that could not be written.
func keepUses(known, before []record) {
	for i := range known {
		for _, b := range before {
			if b.ID == known[i].ID && b.LastUsedAt != nil && (known[i].LastUsedAt == nil || b.LastUsedAt.After(known[i].LastUsedAt.Time)) {
				known[i].LastUsedAt = b.LastUsedAt
			}
		}
	}
}

// read reads the file; an absent one holds none.
func (t *Tokens) read() ([]record, error) {
	data, err := planted.Read(t.file, fileLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, t.leftBehind()
	}
	if err != nil {
		return nil, t.unreadable(err)
	}
	if info, err := os.Lstat(t.file); err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return nil, t.unreadable(errors.New("others may write it"))
	}
	var f tokenFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, t.unreadable(errors.New("it is torn, or not a list of tokens"))
	}
	if f.Format != formatVersion {
		return nil, t.unreadable(errors.New("it is of another version of holdfast"))
	}
	names, ids := map[string]bool{}, map[string]bool{}
	for _, r := range f.Tokens {
		if err := r.check(); err != nil {
			return nil, t.unreadable(err)
		}
		if names[r.Name] || ids[r.ID] {
			return nil, t.unreadable(errors.New("it names a token twice"))
		}
		names[r.Name], ids[r.ID] = true, true
	}
	return f.Tokens, nil
}

// lookAlso names the folder where the state directory is by default. What is
// remembered moves away from there when a repository becomes encrypted, or when
// state names another place; tokens that stay behind must not leave the door
// open.
func (t *Tokens) lookAlso(folder string) {
	file := ""
	if folder != "" {
		file = filepath.Join(folder, tokensFile)
	}
	t.former.Store(&file)
}

// leftBehind refuses to take it that there are no tokens where they lie at the
// former place.
func (t *Tokens) leftBehind() error {
	former := t.former.Load()
	if former == nil || *former == "" || sameFile(*former, t.file) {
		return nil
	}
	if _, err := os.Lstat(*former); err != nil {
		return nil //nolint:nilerr // nothing there that could be asked for
	}
	return &holdfast.Error{
		Op: "read tokens", Object: t.file, Err: fmt.Errorf("it is not there, and %s is", *former),
		Hint: "the state directory is another one now: move the file there, or remove it to do without those tokens",
	}
}

// sameFile tells whether two paths mean one place.
func sameFile(a, b string) bool {
	one, err := filepath.Abs(a)
	two, also := filepath.Abs(b)
	return err == nil && also == nil && one == two
}

// unreadable is why nobody gets in.
func (t *Tokens) unreadable(err error) error {
	return &holdfast.Error{
		Op: "read tokens", Object: t.file, Err: err,
		Hint: "if it cannot be put right, write {\"format\":1,\"tokens\":[]} into it and create the tokens anew",
	}
}

// change replaces the file under the lock that all writers take.
func (t *Tokens) change(edit func([]record) ([]record, error)) error {
	release, err := lockFile(t.file+".lock", lockPatience)
	if err != nil {
		return err
	}
	defer release()
	return t.replace(edit)
}

// try is change, unless somebody else has the lock.
func (t *Tokens) try(edit func([]record) ([]record, error)) error {
	release, err := lockFile(t.file+".lock", 0)
	if err != nil {
		return err
	}
	defer release()
	return t.replace(edit)
}

func (t *Tokens) replace(edit func([]record) ([]record, error)) error {
	all, err := t.read()
	if err != nil {
		return err
	}
	if all, err = edit(all); err != nil {
		return err
	}
	if all == nil {
		all = []record{}
	}
	data, err := json.MarshalIndent(tokenFile{Format: formatVersion, Tokens: all}, "", "  ")
	if err != nil {
		return err
	}
	if err := durable.WriteFile(durable.OS, t.file, append(data, '\n'), 0o600); err != nil {
		return &holdfast.Error{Op: "write tokens", Object: filepath.Dir(t.file), Err: err}
	}
	return nil
}
