package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/volume"
)

// A report gathers the findings about one directory.
type report struct {
	dir        string
	fileSystem string
	free       int64
	findings   []holdfast.Finding
}

// A meaning is what people are told of a finding. In message, %s is the
// directory.
type meaning struct {
	severity holdfast.Severity
	message  string
	hint     string
}

var meanings = map[holdfast.FindingCode]meaning{
	holdfast.FindingMissing: {
		holdfast.Damaged, "%s does not exist and cannot be made",
		"make it, or mount the volume that it lies on",
	},
	holdfast.FindingNotDir: {
		holdfast.Damaged, "%s is not a directory, or does not lie in one",
		"move away what has its name, or choose another path",
	},
	holdfast.FindingDenied: {
		holdfast.Damaged, "%s may not be written",
		"give this user the directory (chown), or choose another one",
	},
	holdfast.FindingReadOnly: {
		holdfast.Damaged, "the file system of %s is mounted read-only",
		"mount it writable; if it was writable before, the disk may be failing: look at the system log",
	},
	holdfast.FindingFull: {
		holdfast.Damaged, "the file system of %s is full",
		"free some space, or enlarge the disk or its quota",
	},
	holdfast.FindingLow: {
		holdfast.Warning, "the file system of %s is nearly full",
		"free some space before writes fail",
	},
	holdfast.FindingNoLocks: {
		holdfast.Damaged, "locks do not work in %s: two programs would destroy each other's data",
		"put the data on a disk of this machine",
	},
	holdfast.FindingNoWAL: {
		holdfast.Warning, "SQLite cannot use its WAL mode in %s",
		"use a rollback journal (PRAGMA journal_mode=DELETE), or put the data on a disk of this machine",
	},
	holdfast.FindingNoRename: {
		holdfast.Damaged, "files cannot be renamed in %s: nothing could be restored safely",
		"put the data on a disk of this machine",
	},
	holdfast.FindingNoSync: {
		holdfast.Damaged, "a sync fails in %s: nothing written there is sure to last",
		"put the data on a disk of this machine, and look at the system log",
	},
	holdfast.FindingMangled: {
		holdfast.Damaged, "what is written to %s reads back otherwise",
		"do not trust this disk: check it, and put the data elsewhere",
	},
	holdfast.FindingNetwork: {
		holdfast.Warning, "%s lies on a network or shared file system",
		"let only one machine use the database, with a rollback journal; better put it on a disk of this machine",
	},
	holdfast.FindingMemory: {
		holdfast.Warning, "%s lies in memory and is gone with the machine or container",
		"mount a volume there, and let backups go elsewhere soon after changes (on_change)",
	},
	holdfast.FindingOverlay: {
		holdfast.Warning, "%s lies in the container's own layer and is gone with the container",
		"mount a volume there, and let backups go elsewhere soon after changes (on_change)",
	},
	holdfast.FindingIO: {
		holdfast.Damaged, "the device of %s fails",
		"look at the system log and check the disk before you trust it",
	},
	holdfast.FindingSameDisk: {
		holdfast.Warning, "the repository lies on the same disk as %s: one failure takes both",
		"add a replica on another disk or in object storage",
	},
	holdfast.FindingUndecided: {
		holdfast.Damaged, "the probe of %s was not finished",
		"try again with more time",
	},
}

// add makes a finding of its meaning and what is known beside it. The same
// finding comes only once.
func (r *report) add(code holdfast.FindingCode, detail string) {
	if slices.ContainsFunc(r.findings, func(f holdfast.Finding) bool { return f.Code == code }) {
		return
	}
	m := meanings[code]
	message := fmt.Sprintf(m.message, r.dir)
	if detail != "" {
		message += " (" + detail + ")"
	}
	r.findings = append(r.findings, holdfast.Finding{Code: code, Severity: m.severity, Message: message, Hint: m.hint})
}

// usable tells whether nothing was found so far that keeps a database from
// living there.
func (r *report) usable() bool {
	return !slices.ContainsFunc(r.findings, func(f holdfast.Finding) bool { return f.Severity == holdfast.Damaged })
}

// A step is a part of the probe that failed; it decides what an error means
// that does not say it itself.
type step holdfast.FindingCode

const (
	stepFind   = step(holdfast.FindingMissing)
	stepWrite  = step(holdfast.FindingIO)
	stepSync   = step(holdfast.FindingNoSync)
	stepRead   = step(holdfast.FindingMangled)
	stepRename = step(holdfast.FindingNoRename)
	stepLock   = step(holdfast.FindingNoLocks)
	stepWAL    = step(holdfast.FindingNoWAL)
)

// failed makes a finding of an error.
func (r *report) failed(at step, err error) {
	code := holdfast.FindingCode(at)
	switch {
	case volume.IsFull(err):
		code = holdfast.FindingFull
	case volume.IsReadOnly(err):
		code = holdfast.FindingReadOnly
	case errors.Is(err, syscall.EIO):
		code = holdfast.FindingIO
	case at == stepRename, at == stepLock, at == stepWAL, at == stepSync:
	case errors.Is(err, fs.ErrPermission):
		code = holdfast.FindingDenied
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, fs.ErrExist):
		code = holdfast.FindingNotDir
	}
	r.add(code, cause(err))
}

// cause is the reason without the temporary path that the system call names.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err.Error()
	}
	return err.Error()
}

func size(n int64) string { return humanize.IBytes(uint64(max(n, 0))) }

func isURL(place string) bool { return strings.Contains(place, "://") }
