package engine

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// partsJournalFile is the journal of a restore by requests.
const partsJournalFile = "parts-journal.json"

// A partsPhase says how far a restore by requests has come.
type partsPhase string

const (
	// partsChanging: the store is being changed; its last note says how far it is.
	partsChanging partsPhase = "changing"
	// partsChanged: the new state stands; what is left is telling and recording.
	partsChanged partsPhase = "changed"
)

// A partsJournal is the durable record of one restore or rollback by requests. What was
// done to the store only the store knows: it leaves a note before each step, in place of
// the one before. Without a note nothing was changed, and there is no journal.
type partsJournal struct {
	Version   int                 `json:"version"`
	ID        string              `json:"id"`
	Op        string              `json:"op"` // restore or rollback
	Backup    holdfast.BackupName `json:"backup,omitempty"`
	Import    string              `json:"import,omitempty"`
	Emergency holdfast.BackupName `json:"emergency,omitempty"`
	Begun     holdfast.Time       `json:"begun"`
	Phase     partsPhase          `json:"phase"`
	lastParts
	// Note is the store's.
	Note json.RawMessage `json:"note"`
}

// A lastParts is what a restore by requests did to one store.
type lastParts struct {
	// Store is what the store is called, also in the emergency backup; Location where
	// it is, without credentials.
	Store    string        `json:"store"`
	Kind     holdfast.Kind `json:"kind"`
	Location string        `json:"location"`
	// Wanted are the parts that were asked for, Changes what became of each table.
	Wanted  []holdfast.Part       `json:"wanted"`
	Changes []holdfast.PartChange `json:"changes,omitempty"`
	// Rows are those that were planned for, by the table of the store; a table that is
	// not here is changed as a whole.
	Rows   map[string][]string `json:"rows,omitempty"`
	Reload []string            `json:"reload,omitempty"`
	Kept   []string            `json:"kept,omitempty"`
}

// tell takes over what a store says it did.
func (l *lastParts) tell(r holdfast.PartResult) {
	l.Changes, l.Reload, l.Kept = r.Changes, r.Reload, r.Kept
}

func (e *Engine) savePartsJournal(j *partsJournal) error {
	if err := durable.MkdirAll(e.o.FS, e.o.StateDir, 0o700); err != nil {
		return &holdfast.Error{Op: "state directory", Object: e.o.StateDir, Err: err}
	}
	return e.writeState(partsJournalFile, j)
}

func (e *Engine) removePartsJournal() error {
	return durable.Remove(e.o.FS, filepath.Join(e.o.StateDir, partsJournalFile))
}

// loadPartsJournal gives the journal of a restore by requests that was cut, or nil.
func (e *Engine) loadPartsJournal() (*partsJournal, error) {
	j := &partsJournal{}
	found, err := e.readState(partsJournalFile, j)
	if err != nil || !found {
		return nil, err
	}
	path := filepath.Join(e.o.StateDir, partsJournalFile)
	if j.Version != journalVersion {
		return nil, &holdfast.Error{Op: "journal", Object: path, Err: holdfast.Kindf(holdfast.ErrRefused, "version %d is not known here, this program reads version %d", j.Version, journalVersion), Hint: "recover with the version of holdfast that began the restore"}
	}
	if err := j.plausible(); err != nil {
		return nil, strange(path, err)
	}
	return j, nil
}

// plausible refuses a journal that no restore has written. Which store is asked to act on
// the note is decided by the configuration, and what it may do by the store itself.
func (j *partsJournal) plausible() error {
	switch {
	case j.Phase != partsChanging && j.Phase != partsChanged:
		return implausible(string(j.Phase), "a phase")
	case j.Op != opRestore && j.Op != opRollback:
		return implausible(j.Op, "a verb")
	case len(j.Note) == 0 || string(j.Note) == "null":
		return implausible("nothing", "what a store has noted")
	}
	for _, name := range []holdfast.BackupName{j.Backup, j.Emergency} {
		if name == "" {
			continue
		}
		if _, err := holdfast.ParseBackupName(string(name)); err != nil {
			return implausible(string(name), "a backup")
		}
	}
	return j.lastParts.plausible()
}

// plausible refuses what no restore has left.
func (l *lastParts) plausible() error {
	if _, err := holdfast.ParseSourceName(l.Store); err != nil {
		return implausible(l.Store, "a store")
	}
	if l.Location == "" || strings.ContainsAny(l.Location, "\x00\n") {
		return implausible(l.Location, "the place of a store")
	}
	if len(l.Wanted) == 0 {
		return implausible("nothing", "the parts that were asked for")
	}
	for _, c := range l.Changes {
		if c.Action == holdfast.PartMerge && len(l.Rows[c.Table]) == 0 {
			return implausible("no rows of "+c.Table, "what was merged") // all of it would be undone
		}
	}
	return nil
}

// storeAt gives the store at a place, of those that are configured or given; nil if
// there is none.
func (e *Engine) storeAt(kind holdfast.Kind, location string) holdfast.PartRestorer {
	for _, s := range e.o.Stores {
		if s.Kind() == kind && s.Target().Path == location {
			return s
		}
	}
	for _, s := range e.o.Sources {
		if store, ok := s.(holdfast.PartRestorer); ok && s.Kind() == kind && s.Target().Path == location {
			return store
		}
	}
	return nil
}

// with gives an engine that knows one more store.
func (e *Engine) with(store holdfast.PartRestorer) *Engine {
	if store == nil {
		return e
	}
	known := *e
	known.o.Stores = append([]holdfast.PartRestorer{store}, e.o.Stores...)
	return &known
}
