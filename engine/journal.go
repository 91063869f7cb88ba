package engine

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/durable"
)

// The files of the state directory.
const (
	journalFile     = "restore-journal.json"
	lastRestoreFile = "last-restore.json"
)

// journalVersion guards against a journal of another program version.
const journalVersion = 1

// A phase says how far a restore has come. It is written before its step is
// taken, so each phase has one meaning at the next start; DESIGN.md has the
// table.
type phase string

const (
	phaseStaging   phase = "staging"   // stages are being filled; targets untouched
	phaseStaged    phase = "staged"    // stages complete and checked; targets untouched
	phaseAside     phase = "aside"     // old sets are being moved aside
	phasePlaced    phase = "placed"    // old sets are aside; new sets are being put in place
	phaseStarting  phase = "starting"  // new sets are in place and verified; owners are being started
	phaseConfirmed phase = "confirmed" // the new state stands; what is left is tidying up
	phaseUndone    phase = "undone"    // the old state stands again; what is left is tidying up
)

// A journal is the durable plan of one restore or rollback. All its targets
// change together or not at all.
type journal struct {
	Version   int                 `json:"version"`
	ID        string              `json:"id"`
	Op        string              `json:"op"` // restore or rollback
	Backup    holdfast.BackupName `json:"backup,omitempty"`
	Emergency holdfast.BackupName `json:"emergency,omitempty"`
	// Import is what is brought in, in place of a backup.
	Import string        `json:"import,omitempty"`
	Begun  holdfast.Time `json:"begun"`
	Phase  phase         `json:"phase"`
	// Stopped tells that a hook was run, so that the start hook must run
	// whatever the outcome.
	Stopped bool `json:"stopped,omitempty"`
	// OwnerStopped tells that the owner was asked to let go and not started
	// since.
	OwnerStopped bool           `json:"owner_stopped,omitempty"`
	Targets      []*replacement `json:"targets"`
}

// A method says how a new set takes a target's place.
const (
	methodRename  = "rename"
	methodInPlace = "in place"
	methodOnline  = "online"
)

// A replacement is what happens to one target. All paths are absolute with
// links resolved.
type replacement struct {
	Source string        `json:"source"`
	Kind   holdfast.Kind `json:"kind"`
	Path   string        `json:"path"`
	Dir    bool          `json:"dir"`
	// File is the name of a single-file source in its stage.
	File       string   `json:"file,omitempty"`
	Companions []string `json:"companions,omitempty"`
	Method     string   `json:"method"`
	Existed    bool     `json:"existed"`
	// Stage is the directory that is filled with the new set; empty if the
	// new set is an earlier aside, or nothing.
	Stage string `json:"stage,omitempty"`
	// Aside is where the old set goes: a file beside its companions, or a
	// directory.
	Aside string `json:"aside"`
	// Out moves the old set aside, In moves the new set into place.
	Out []move `json:"out,omitempty"`
	In  []move `json:"in,omitempty"`
	// Fingerprint of the new set as it was checked.
	Fingerprint string `json:"fingerprint,omitempty"`
	// SavedState identifies the old set as it was before the emergency
	// backup read it.
	SavedState string `json:"saved_state,omitempty"`
	// MadeDirs are parents of Path that did not exist, the innermost last.
	MadeDirs []string `json:"made_dirs,omitempty"`
	// Empty tells that the old set held nothing.
	Empty bool `json:"empty,omitempty"`
	// Keep says why the old set stays where Aside is; empty lets it go.
	Keep string `json:"keep,omitempty"`
}

// A move is one rename.
type move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// save makes the journal durable in its present phase.
func (e *Engine) saveJournal(j *journal) error {
	if err := durable.MkdirAll(e.o.FS, e.o.StateDir, 0o700); err != nil {
		return &holdfast.Error{Op: "state directory", Object: e.o.StateDir, Err: err}
	}
	return e.writeState(journalFile, j)
}

// advance records the next phase before it begins. If it cannot be recorded,
// the journal in memory stays in its phase, which is undone accordingly.
func (e *Engine) advance(j *journal, next phase) error {
	before := j.Phase
	j.Phase = next
	if err := e.saveJournal(j); err != nil {
		j.Phase = before
		return err
	}
	return nil
}

func (e *Engine) removeJournal() error {
	return durable.Remove(e.o.FS, filepath.Join(e.o.StateDir, journalFile))
}

// loadJournal gives the journal of a restore that was cut, or nil.
func (e *Engine) loadJournal() (*journal, error) {
	j := &journal{}
	found, err := e.readState(journalFile, j)
	if err != nil || !found {
		return nil, err
	}
	if j.Version != journalVersion {
		return nil, &holdfast.Error{Op: "journal", Object: filepath.Join(e.o.StateDir, journalFile), Err: holdfast.Kindf(holdfast.ErrRefused, "version %d is not known here, this program reads version %d", j.Version, journalVersion), Hint: "recover with the version of holdfast that began the restore"}
	}
	if err := j.plausible(); err != nil {
		return nil, strange(filepath.Join(e.o.StateDir, journalFile), err)
	}
	return j, nil
}

// A lastRestore is what rollback undoes.
type lastRestore struct {
	Version   int                 `json:"version"`
	ID        string              `json:"id"`
	At        holdfast.Time       `json:"at"`
	Backup    holdfast.BackupName `json:"backup,omitempty"`
	Emergency holdfast.BackupName `json:"emergency,omitempty"`
	Targets   []lastTarget        `json:"targets"`
	// Import is what was brought in, in place of a backup.
	Import string `json:"import,omitempty"`
	// Parts is what was done by requests; nil if files were moved.
	Parts *lastParts `json:"parts,omitempty"`
	// Undone tells when it was rolled back.
	Undone *holdfast.Time `json:"undone,omitempty"`
}

// A lastTarget is one target of the last restore.
type lastTarget struct {
	Source  string `json:"source"`
	Path    string `json:"path"`
	Existed bool   `json:"existed"`
	// Online tells that nothing was moved: the database itself wrote.
	Online bool `json:"online,omitempty"`
	// Back are the moves that would bring a kept aside back; none if it was
	// not kept.
	Back  []move `json:"back,omitempty"`
	Aside string `json:"aside,omitempty"`
}

func (e *Engine) loadLastRestore() (*lastRestore, error) {
	l := &lastRestore{}
	found, err := e.readState(lastRestoreFile, l)
	if err != nil || !found {
		return nil, err
	}
	if err := l.plausible(); err != nil {
		return nil, strange(filepath.Join(e.o.StateDir, lastRestoreFile), err)
	}
	return l, nil
}

func (e *Engine) writeState(name string, v any) error {
	path := filepath.Join(e.o.StateDir, name)
	data, err := json.MarshalIndent(v, "", "  ")
	if err == nil {
		err = durable.WriteFile(e.o.FS, path, append(data, '\n'), 0o600)
	}
	if err != nil {
		return &holdfast.Error{Op: "record in", Object: path, Err: err}
	}
	return nil
}

func (e *Engine) readState(name string, v any) (found bool, err error) {
	path := filepath.Join(e.o.StateDir, name)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err == nil {
		if err = json.Unmarshal(data, v); err != nil {
			err = holdfast.Kindf(holdfast.ErrRefused, "it is damaged: %w", err)
		}
	}
	if err != nil {
		return false, &holdfast.Error{Op: "read", Object: path, Err: err, Hint: "the file belongs to holdfast; move it away only if no restore was under way"}
	}
	return true, nil
}
