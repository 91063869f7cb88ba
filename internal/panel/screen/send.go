package screen

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

const (
	// MostPiece is how large a piece of a file is at most: a bot can fetch 20 MB back.
	MostPiece = 19_000_000
	// MostSent is how large a file may be that is sent.
	MostSent = 200_000_000
)

// A Key tells what opens a file that is sent encrypted.
type Key string

// The keys of files that are sent.
const (
	KeyTelegram   Key = "telegram"   // the passphrase that comes from the bot's token
	KeyPassphrase Key = "passphrase" // that of the repository
	KeyRecipients Key = "recipients" // private keys of the configured recipients
)

// A SendModel is what is asked before a backup is sent.
type SendModel struct {
	Backup report.Backup
	Page   int
	Key    Key
	// Plain is the name of the file that is sent in clear.
	Plain string
	// Refused is why it is not sent; nil: it can be.
	Refused *report.Error
}

// Send asks how a backup is to be sent.
func Send(r Reader, m SendModel) Screen {
	p := r.page()
	p.title("📤", r.L.T("panel.send"))
	p.named(r, m.Backup.Name, m.Backup.CreatedAt)
	p.fact(r.L.T("details.size"), r.bytes(m.Backup.LogicalBytes))
	p.gap()
	back := r.button("⬅️", "panel.keep", of(DoDetails, m.Backup.Name, m.Page))
	if m.Backup.LogicalBytes > MostSent || m.Refused != nil {
		if m.Refused != nil {
			p.failure(r, m.Refused)
		} else {
			p.icon("🔴", "panel.send.large", "most", r.size(MostSent), "command", Name("holdfast export "+string(m.Backup.Name)))
		}
		s := Screen{Text: p.text()}
		s.add(back)
		return s
	}
	if pieces := m.Backup.LogicalBytes/MostPiece + 1; pieces > 1 {
		p.put(counted(r.L, "panel.send.pieces", pieces, "size", r.size(MostPiece)))
	}
	p.icon("🔒", "panel.send.sealed")
	p.put(text("🔑 ").and(keySentence(r, m.Key)))
	s := Screen{Text: p.text()}
	sealed := of(SendSealed, m.Backup.Name, m.Page)
	sealed.At = r.draw()
	s.add(r.button("🔒", "panel.send.encrypted", sealed))
	s.add(r.button("🔓", "panel.send.clear", of(AskClear, m.Backup.Name, m.Page)))
	s.add(back)
	return s
}

// Clear asks again before a backup is sent in clear.
func Clear(r Reader, m SendModel, why Why) Screen {
	p := r.page()
	p.title("🔓", r.L.T("panel.send.clear_title"))
	p.again(why)
	p.named(r, m.Backup.Name, m.Backup.CreatedAt)
	p.gap()
	p.icon("🔴", "panel.send.clear_risk")
	p.fact(r.L.T("panel.send.file"), code(m.Plain))
	p.gap()
	p.say("panel.good_for")
	s := Screen{Text: p.text()}
	now := of(SendClear, m.Backup.Name, m.Page)
	now.At = r.draw()
	s.add(r.button("🔓", "panel.send.clear_yes", now))
	s.add(r.button("⬅️", "panel.keep", of(DoSend, m.Backup.Name, m.Page)))
	return s
}

// A SendingModel is a file that is being sent, or was.
type SendingModel struct {
	ID     string // of the sending, to cancel it
	Backup holdfast.BackupName
	Page   int
	File   string // its name without the number of a piece
	Sealed bool
	Key    Key
	Sent   int   // pieces
	Bytes  int64 // of what was sent
	Total  int64 // about so much in all
	// Done tells that all of it was sent; Cancelled, that somebody ended it; Failure,
	// why it ended before.
	Done, Cancelled bool
	Failure         *report.Error
}

// Sending tells how far a file that is sent is, and in the end how its pieces are put
// together.
func Sending(r Reader, m SendingModel) Screen {
	p := r.page()
	s := Screen{}
	details := r.button("📦", "jobs.next_details", of(DoDetails, m.Backup, m.Page))
	switch {
	case m.Done:
		p.title("✅", r.L.T("panel.sent"))
		p.put(code(string(m.Backup)))
		p.put(row(counted(r.L, "panel.sent.pieces", int64(m.Sent)), r.bytes(m.Bytes)))
		p.together(r, m)
		s.add(details, toOverview(r))
	case m.Cancelled, m.Failure != nil:
		p.title("🔴", r.L.T("panel.send.cut"))
		p.put(code(string(m.Backup)))
		if m.Cancelled {
			p.say("jobs.end_cancelled")
		}
		p.failure(r, m.Failure)
		if m.Sent > 0 {
			p.put(counted(r.L, "panel.send.useless", int64(m.Sent)))
		}
		s.add(r.button("🔁", "jobs.next_again", of(DoSend, m.Backup, m.Page)))
		s.add(details, toOverview(r))
	default:
		p.title("📤", r.L.T("panel.sending"))
		p.put(code(string(m.Backup)))
		p.put(counted(r.L, "panel.sent.pieces", int64(m.Sent)))
		if m.Total > 0 {
			p.put(text(bar(m.Bytes, m.Total)+" ").and(r.bytes(min(m.Bytes, m.Total)), text(" / "), r.bytes(m.Total)))
		}
		s.add(r.button("✖️", "panel.cancel", Action{Verb: StopSend, Arg: m.ID}))
	}
	s.Text = p.text()
	return s
}

// together tells how the pieces become what they were.
func (p *page) together(r Reader, m SendingModel) {
	p.gap()
	command := ""
	switch {
	case m.Sealed:
		command = "cat " + m.File + ".* | age -d | tar x"
		if m.Key == KeyRecipients {
			command = "cat " + m.File + ".* | age -d -i KEYS | tar x"
		}
	case m.Sent > 1:
		command = "cat " + m.File + ".* > " + m.File
	}
	if command == "" {
		return
	}
	p.say("panel.sent.together")
	p.put(text(command).within("pre"))
	if m.Sealed {
		p.put(text("🔑 ").and(keySentence(r, m.Key)))
	}
}

// keySentence tells what opens the file.
func keySentence(r Reader, k Key) marked {
	if k == KeyTelegram {
		return sentence(r.L, "panel.key.telegram", "command", Name("holdfast key telegram"))
	}
	return sentence(r.L, "panel.key."+string(k))
}
