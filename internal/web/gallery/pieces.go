package gallery

import "github.com/holdfast-backup/holdfast/internal/web/ui"

// pieceStates are what pages are made of, beside each other.
var pieceStates = []State{
	{Page: "pieces", Name: "all", Section: "backups", Render: pieces, Change: func(p *ui.Page) {
		p.Running = []ui.Running{{ID: "20261122T092900000-K7Q2M9XA", Kind: "backup", Backup: "enhanced_backup_20261122_092900", Done: 42, Total: 100}}
		p.Notices = []ui.Notice{
			{Tone: ui.Good, Text: "\u2068auto_backup_20241030_144500\u2069 was pinned."},
			{Tone: ui.Calm, Text: "3 backups will be deleted in 10 minutes.", Undo: "/backups/undo"},
		}
	}},
}
