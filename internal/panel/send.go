package panel

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"path"
	"sync"
	"time"

	"filippo.io/age"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/panel/screen"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// errStopped ends a sending because somebody asked for that.
var errStopped = errors.New("somebody asked to stop")

// A sending is a file on its way into a chat.
type sending struct {
	at   place
	stop context.CancelCauseFunc

	mu    sync.Mutex
	model screen.SendingModel
}

// look reads how far it is, note changes that.
func (s *sending) look() screen.SendingModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model
}

func (s *sending) note(how func(*screen.SendingModel)) screen.SendingModel {
	s.mu.Lock()
	defer s.mu.Unlock()
	how(&s.model)
	return s.model
}

// keyOf tells what would open a file that is sent, without asking anybody for a
// passphrase.
func (p *Panel) keyOf(c config.Encryption) screen.Key {
	switch {
	case len(c.To) > 0:
		return screen.KeyRecipients
	case c.HasPassphrase():
		return screen.KeyPassphrase
	}
	return screen.KeyTelegram
}

// recipients are those to whom a file is encrypted that is sent.
func (p *Panel) recipients(ctx context.Context, c config.Encryption) ([]age.Recipient, error) {
	to, _, err := wire.SealTo(ctx, c)
	switch {
	case err != nil || len(to) > 0:
		return to, err
	case p.o.Recipient == nil:
		return nil, &holdfast.Error{Op: "encrypt the file", Err: holdfast.Kindf(holdfast.ErrUsage, "there is no key to encrypt it to"), Hint: "configure encrypt_to, or a passphrase"}
	}
	return []age.Recipient{p.o.Recipient}, nil
}

// offer is what is asked before a backup is sent.
func (v *visit) offer(ctx context.Context, a screen.Action) (m screen.SendModel, ok bool) {
	b, _, ok := v.find(ctx, a)
	m = screen.SendModel{Backup: b, Page: a.Page, Key: v.p.keyOf(v.core.Config.Encryption), Plain: string(b.Name) + ".tar"}
	if len(b.Sources) == 1 && b.Sources[0].Kind == holdfast.KindSQLite {
		m.Plain = string(b.Name) + databaseSuffix
	}
	return m, ok
}

// databaseSuffix ends the name of a database that is sent by itself.
const databaseSuffix = ".db"

// askSend asks how a backup is to be sent.
func (v *visit) askSend(ctx context.Context, a screen.Action) {
	if m, ok := v.offer(ctx, a); ok {
		v.show(ctx, screen.Send(v.r, m))
	}
}

// askClear asks again before it is sent in clear.
func (v *visit) askClear(ctx context.Context, a screen.Action, why screen.Why) {
	if m, ok := v.offer(ctx, a); ok {
		v.show(ctx, screen.Clear(v.r, m, why))
	}
}

// send begins to send a backup into the chat: encrypted, or, if that was confirmed, in
// clear.
func (v *visit) send(ctx context.Context, a screen.Action) (said string) {
	if s := v.p.sendingAt(place{v.chat, v.message}); s != nil {
		v.show(ctx, screen.Sending(v.r, s.look())) // the second of two taps
		return ""
	}
	m, ok := v.offer(ctx, a)
	if !ok {
		return ""
	}
	sealed := a.Verb == screen.SendSealed
	if why := v.fresh(a); why != "" && !sealed {
		v.show(ctx, screen.Clear(v.r, m, why))
		return ""
	}
	if m.Backup.LogicalBytes > screen.MostSent {
		v.show(ctx, screen.Send(v.r, m))
		return ""
	}
	file := m.Plain
	if sealed {
		file = string(m.Backup.Name) + ".tar.age"
	}
	s := &sending{at: place{v.chat, v.message}, model: screen.SendingModel{
		ID: rand.Text()[:mostID], Backup: m.Backup.Name, Page: a.Page, File: file, Sealed: sealed, Key: m.Key, Total: m.Backup.LogicalBytes,
	}}
	life, stop := context.WithCancelCause(v.p.life)
	s.stop = stop
	if !v.p.begin(s) {
		stop(nil)
		return v.r.L.T("panel.send.busy")
	}
	v.show(ctx, screen.Sending(v.r, s.look()))
	s.at.message = v.message
	core, user := v.core, v.user
	v.p.work.Go(func() {
		defer stop(nil)
		v.p.deliver(life, core, s, user.ID)
	})
	return v.r.L.T("panel.toast.begun")
}

// mostID bounds the name of a sending, which must fit into a button.
const mostID = 24

// begin notes a sending; false: another one is under way, and one at a time is enough for
// any chat.
func (p *Panel) begin(s *sending) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.sendings) > 0 || p.life.Err() != nil {
		return false
	}
	p.sendings[s.model.ID] = s
	return true
}

func (p *Panel) ended(s *sending) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.sendings, s.model.ID)
}

// sendingAt is the sending that a message shows; nil: none.
func (p *Panel) sendingAt(at place) *sending {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.sendings {
		if s.at == at {
			return s
		}
	}
	return nil
}

// stopSend ends a sending.
func (v *visit) stopSend(ctx context.Context, id string) (said string) {
	v.p.mu.Lock()
	s := v.p.sendings[id]
	v.p.mu.Unlock()
	if s == nil {
		v.overview(ctx)
		return v.r.L.T("panel.toast.restarted")
	}
	s.stop(errStopped)
	return v.r.L.T("panel.toast.cancel")
}

// deliver sends the pieces and tells how far it is, and in the end how it went.
func (p *Panel) deliver(ctx context.Context, core Core, s *sending, user int64) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.progressOf(ctx, s, user)
	}()
	err := p.pieces(ctx, core, s)
	stopped := errors.Is(context.Cause(ctx), errStopped)
	s.stop(nil) // the telling of progress, which would draw the end where the progress is
	<-done
	m := s.note(func(m *screen.SendingModel) {
		m.Done, m.Cancelled = err == nil, err != nil && stopped
		if err != nil && !stopped {
			failure := told("send", err)
			m.Failure = &failure
		}
	})
	p.ended(s) // whoever reads the last word may begin the next
	if err != nil {
		p.log.Warn("a backup was not sent into the chat completely", keyBackup, m.Backup, keyChat, s.at.chat, keyError, err, keyHint, holdfast.HintOf(err))
	} else {
		p.log.Info("a backup was sent into a chat", keyBackup, m.Backup, keyChat, s.at.chat, keyUser, user, keySealed, m.Sealed)
	}
	p.insist(s, user, m)
}

// insist draws the last screen of a sending, as often as it takes. Below the pieces, so
// that it is found: in a new message.
func (p *Panel) insist(s *sending, user int64, m screen.SendingModel) {
	wait := 2 * p.o.Every
	message := s.at.message
	if m.Done {
		message = 0
	}
	for {
		_, err := p.put(p.life, s.at.chat, message, screen.Sending(p.readerOf(user), m))
		if err == nil || !passing(p.life, err) {
			break
		}
		select {
		case <-p.life.Done():
			return
		case <-time.After(wait):
		}
		wait = min(2*wait, mostAgain*p.o.Every)
	}
	if m.Done && p.life.Err() == nil { // what showed the progress stands above the pieces
		if err := p.o.API.Delete(p.life, s.at.chat, s.at.message); err != nil {
			p.log.Debug("the progress of a sending could not be removed", keyError, err)
		}
	}
}

// progressOf tells how far a sending is.
func (p *Panel) progressOf(ctx context.Context, s *sending, user int64) {
	tick := time.NewTicker(p.o.Every)
	defer tick.Stop()
	shown := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		next := screen.Sending(p.readerOf(user), s.look())
		if next.Text == shown {
			continue
		}
		// An edit that is cut could arrive after the last word.
		if _, err := p.put(p.life, s.at.chat, s.at.message, next); err != nil {
			p.log.Debug("the progress of a sending could not be shown", keyError, err)
			continue
		}
		shown = next.Text
	}
}

// open opens the nearest copy of a backup, and tells what is in it.
func open(ctx context.Context, core Core, name holdfast.BackupName) (*repo.Backup, error) {
	e, err := core.Keeper.Engine(ctx)
	if err != nil {
		return nil, err
	}
	b, _, err := e.Open(ctx, string(name))
	if err != nil {
		return nil, err
	}
	b.Until(ctx)
	return b, nil
}

// database is the path of the only database in a backup; empty: it is none, or not alone.
func database(b *repo.Backup) string {
	m := b.Metadata()
	if len(m.Sources) != 1 || m.Sources[0].Kind != holdfast.KindSQLite {
		return ""
	}
	found := ""
	for _, f := range b.Files() {
		if fs.FileMode(f.Mode).IsRegular() && path.Dir(f.Path) == m.Sources[0].Name {
			if found != "" {
				return ""
			}
			found = f.Path
		}
	}
	return found
}

// refuseLarge tells that a backup is too large to be sent.
func refuseLarge(name holdfast.BackupName) error {
	return &holdfast.Error{Op: "send", Object: string(name), Err: holdfast.Kindf(holdfast.ErrRefused, "it has more than %d bytes", screen.MostSent), Hint: "`holdfast export " + string(name) + "` writes it into a folder; copies elsewhere belong into object storage (s3://)"}
}
