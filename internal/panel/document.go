package panel

import "github.com/holdfast-backup/holdfast/internal/botapi"

// A Document is a file to be sent, Sent what became of it.
type (
	Document = botapi.Document
	Sent     = botapi.Sent
)

var _ API = (*botapi.Client)(nil)
