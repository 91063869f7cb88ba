package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/durable"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/volume"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

// repository checks where backups go.
func (x *examination) repository() {
	place := x.cfg.Repository
	if !config.IsURL(place) {
		if err := volume.Writable(durable.OS, place); err != nil {
			x.failed("repository", place, err)
			return
		}
		x.add("repository", place, checkOK, "", "can be written, synced and renamed in")
		x.fileSystem("repository", place)
	}
	r, err := x.a.repository(x.ctx)
	switch {
	case errors.Is(err, holdfast.ErrNotFound):
		x.add("repository", place, checkWarn, "`holdfast backup` or `holdfast init` creates it", "does not exist yet")
		x.encryption(nil)
		return
	case err != nil:
		x.failed("repository", place, err)
		return
	}
	x.lock(r)
	x.backups(r)
	x.journal(r)
	x.encryption(r)
}

// encryption tells whether the next backup can be encrypted as configured, and whether
// its key is here; r is nil if there is no repository yet.
func (x *examination) encryption(r *repo.Repository) {
	const check = "encryption"
	if r == nil || r.Encryption().Identity == "" { // otherwise what follows asks for the passphrase
		to, byPassphrase, err := wire.SealTo(x.ctx, x.cfg.Encryption)
		switch {
		case err != nil:
			x.failed(check, "", err)
			return
		case r == nil && (len(to) > 0 || byPassphrase):
			x.add(check, "", checkOK, "", "the first backup will be encrypted")
		}
	}
	if r == nil || !r.Encrypts() {
		return
	}
	switch readable, err := r.Readable(x.ctx); {
	case err != nil:
		x.failed(check, r.Location(), err)
	case readable:
		x.add(check, r.Location(), checkOK, "", "new backups are encrypted, and their key is here")
	default:
		x.add(check, r.Location(), checkOK, "", "new backups are encrypted, and cannot be read here: no key for them was given")
	}
}

// lock takes the writer's lease and gives it back.
func (x *examination) lock(r *repo.Repository) {
	lease, err := r.Lock(x.ctx, "doctor")
	if err != nil {
		if errors.Is(err, holdfast.ErrLocked) {
			x.add("lock", r.Location(), checkWarn, "run doctor again when it has ended", report.Text(err))
			return
		}
		x.failed("lock", r.Location(), err)
		return
	}
	if err := lease.Release(); err != nil {
		x.failed("lock", r.Location(), err)
		return
	}
	x.add("lock", r.Location(), checkOK, "", "free; what a crash may have left behind is cleaned up")
}

// backups looks for backups that are of no use, and for proof.
func (x *examination) backups(r *repo.Repository) {
	infos, err := r.List(x.ctx)
	if err != nil {
		x.failed("backups", r.Location(), err)
		return
	}
	proven := false
	for _, i := range infos {
		if i.Err != nil {
			x.failed("backup", i.Name.String(), i.Err)
		}
		_, ok := i.Proven()
		proven = proven || ok
		if i.Metadata != nil && i.Metadata.CreatedAt.After(x.a.sys.Now().Add(time.Minute)) {
			x.add("clock", i.Name.String(), checkWarn, "set the clock, or wait; retention counts ages", "was made in the future")
		}
	}
	switch {
	case len(infos) == 0:
		x.add("backups", "", checkWarn, "`holdfast backup` makes the first", "there are none yet")
	case !proven:
		x.add("backups", "", checkWarn, "`holdfast verify` proves the newest", plural(len(infos), "backup", "backups")+", none proven yet")
	default:
		x.add("backups", "", checkOK, "", plural(len(infos), "backup", "backups")+", at least one proven")
	}
}

// journal tells of a restore that was cut.
func (x *examination) journal(r *repo.Repository) {
	e, err := x.a.engine(r, nil)
	if err != nil {
		x.failed("restore journal", "", err)
		return
	}
	pending, err := e.Pending()
	switch {
	case err != nil:
		x.failed("restore journal", "", err)
	case pending != nil:
		x.add("restore journal", "", checkFail, "`holdfast recover` finishes or undoes it", "a "+pending.Op+" begun "+moment(pending.Begun.Time)+" was cut")
	default:
		x.add("restore journal", "", checkOK, "", "no restore was cut")
	}
}

// fileSystem tells of space and of file systems that cannot be trusted.
func (x *examination) fileSystem(check, path string) {
	info, err := volume.Stat(path)
	if err != nil {
		x.failed(check, path, err)
		return
	}
	// Below this a backup of anything is doubtful.
	const little = 256 << 20
	switch {
	case info.Free >= 0 && info.Free < little:
		x.add("free space", path, checkWarn, "free some space, or choose another repository", size(info.Free)+" free")
	case info.Free >= 0:
		x.add("free space", path, checkOK, "", size(info.Free)+" free of "+size(info.Total))
	}
	switch {
	case info.ReadOnly:
		x.add("file system", path, checkFail, "mount it writable", info.Kind+", mounted read-only")
	case info.Network():
		x.add("file system", path, checkWarn, "keep live databases and the repository's lock on a local disk", info.Kind+" lies across a network: locks and syncs cannot be trusted")
	case info.Kind == "tmpfs" || info.Kind == "ramfs":
		x.add("file system", path, checkWarn, "choose a directory on a disk", info.Kind+" is memory: it is empty after a restart")
	default:
		x.add("file system", path, checkOK, "", info.Kind)
	}
}

// sameDisk warns of a repository that goes with the data when a disk does. Two
// file systems may still lie on one disk; nothing here can tell.
func (x *examination) sameDisk() {
	place, err := volume.Nearest(x.cfg.Repository)
	if err != nil || config.IsURL(x.cfg.Repository) || x.copiedElsewhere() {
		return // what is wrong is told where the repository is looked at
	}
	var beside []string
	for _, s := range x.cfg.Sources {
		if s.Server != nil {
			continue
		}
		if at, err := volume.Nearest(s.Path); err == nil {
			if same, err := durable.SameDevice(dirOf(at), dirOf(place)); err == nil && same {
				beside = append(beside, s.Name)
			}
		}
	}
	if len(beside) > 0 {
		x.add("repository", x.cfg.Repository, checkWarn, "keep it on another disk with --repo, or copy it to another machine now and then",
			"lies on the same file system as "+strings.Join(beside, ", ")+": what takes the one takes both")
	}
}

// copiedElsewhere tells whether a replica lies where the disks of this machine
// do not take it with them: at a service, or on another file system than all
// sources.
func (x *examination) copiedElsewhere() bool {
	for _, r := range x.cfg.Replicas {
		if config.IsURL(r.URL) {
			return true
		}
		at, err := volume.Nearest(r.URL)
		if err != nil {
			continue
		}
		beside := slices.ContainsFunc(x.cfg.Sources, func(s config.Source) bool {
			if s.Server != nil {
				return false
			}
			of, err := volume.Nearest(s.Path)
			if err != nil {
				return true
			}
			same, err := durable.SameDevice(dirOf(of), dirOf(at))
			return err != nil || same
		})
		if !beside {
			return true
		}
	}
	return false
}

// replicas looks into each replica.
func (x *examination) replicas() {
	if len(x.cfg.Replicas) == 0 {
		return
	}
	r, err := x.a.repository(x.ctx)
	var infos []repo.Info
	if err == nil {
		infos, err = r.List(x.ctx)
	}
	if err != nil {
		infos = nil // told where the repository is looked at
	}
	e, err := x.a.engineOver(r, err, nil)
	if err != nil {
		x.failed("replicas", "", err)
		return
	}
	now := x.a.sys.Now()
	states := e.Survey(x.ctx, infos)
	for i, item := range report.NewReplicas(states, now) {
		status, hint := checkOK, ""
		switch {
		case errors.Is(states[i].Err, holdfast.ErrUsage):
			status, hint = checkFail, report.Hint(states[i].Err) // trying again does not help
		case item.Error != "":
			status, hint = checkFail, "`holdfast replicate` tries again; the backups themselves are not affected"
		case !item.Exists || len(item.Behind) > 0:
			status, hint = checkWarn, "`holdfast replicate` brings it up to date"
		}
		x.add("replica", item.Name, status, hint, replicaWords(item, now))
	}
}

// dirOf is the directory of an existing path: itself, or the one it lies in.
func dirOf(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// locks tells how databases are read here.
func (x *examination) locks() {
	if !slices.ContainsFunc(x.cfg.Sources, func(s config.Source) bool { return s.Kind != holdfast.KindFiles }) {
		return
	}
	if wire.FastReads() {
		x.add("database locks", "", checkOK, "", "belong to open files: databases are read as files under SQLite's own locks")
		return
	}
	x.add("database locks", "", checkOK, "", "belong to processes here: databases are read through SQLite, which is as safe and takes longer")
}

// sources opens each source as a backup would.
func (x *examination) sources() {
	for _, s := range x.cfg.Sources {
		source, err := wire.Source(s)
		if err != nil {
			x.failed("source", s.Name, err)
			continue
		}
		if s.Server != nil {
			x.server(source, s)
			continue
		}
		seen, err := source.Inspect(x.ctx, holdfast.InspectOptions{Counts: true})
		switch {
		case err != nil:
			x.failed("source", s.Name, err)
			continue
		case !seen.Exists:
			x.add("source", s.Name, checkFail, "name the right path", s.Path+" does not exist")
			continue
		}
		x.add("source", s.Name, checkOK, "", fmt.Sprintf("%s at %s: %s%s", s.Kind, s.Path, size(seen.Bytes), sourceDetail(seen.Facts)))
		if info, err := volume.Stat(s.Path); err == nil && info.Network() {
			x.add("file system", s.Path, checkWarn, "keep live databases on a local disk", info.Kind+" lies across a network: locks cannot be trusted")
		}
		if err := volume.Writable(durable.OS, targetDir(source.Target())); err != nil {
			x.add("source", s.Name, checkWarn, report.Hint(err), "a restore in place could not write: "+report.Text(err))
		}
	}
}

// server asks a server as a backup would, with its token, and counts what it holds.
func (x *examination) server(source holdfast.Source, s config.Source) {
	told, _, err := wire.AskServer(x.ctx, source)
	if err != nil {
		x.failed("source", s.Name, err)
		return
	}
	sent := "no header is sent with its requests"
	if names := slices.Sorted(maps.Keys(s.Server.Headers)); len(names) > 0 {
		sent = "it accepts " + strings.Join(names, ", ")
	}
	x.add("source", s.Name, checkOK, "", fmt.Sprintf("a Chroma server answers at %s: API %s, version %s; %s", s.Location(), told.API, told.Version, sent))
	if len(told.Databases) == 0 {
		x.add("source", s.Name, checkWarn, "check tenant in the source", "the server has no database that would be backed up")
		return
	}
	seen, err := source.Inspect(x.ctx, holdfast.InspectOptions{Counts: true})
	if err != nil {
		x.failed("source", s.Name, err)
		return
	}
	holds := "too many collections to count them at a glance"
	if f := seen.Facts.Chroma; f != nil {
		holds = plural(len(f.Collections), "collection", "collections") + sourceDetail(seen.Facts)
	}
	x.add("source", s.Name, checkOK, "", fmt.Sprintf("a backup holds %s: %s, about %s", strings.Join(told.Databases, ", "), holds, size(seen.Bytes)))
}

// targetDir is the directory in which a restore would work: the one above.
func targetDir(t holdfast.Target) string { return filepath.Dir(t.Path) }

// sourceDetail adds what a source holds and how it keeps its journal.
func sourceDetail(f holdfast.Facts) string {
	var parts []string
	if n, ok := f.Records(); ok && f.Files != nil {
		parts = append(parts, plural(int(n), "file", "files"))
	} else if ok {
		parts = append(parts, plural(int(n), "record", "records"))
	}
	switch {
	case f.SQLite != nil:
		parts = append(parts, f.SQLite.JournalMode+" journal")
	case f.Chroma != nil && f.Chroma.JournalMode != "":
		parts = append(parts, f.Chroma.JournalMode+" journal")
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// hooks looks whether the commands' programs can be found.
func (x *examination) hooks() {
	for _, h := range []struct{ name, command string }{{"hooks.stop", x.cfg.Hooks.Stop}, {"hooks.start", x.cfg.Hooks.Start}} {
		if h.command == "" {
			continue
		}
		program := firstWord(h.command)
		if _, err := exec.LookPath(program); err != nil {
			x.add("hook", h.name, checkWarn, "use a full path, or ignore this for a word of the shell", "the program "+program+" was not found")
			continue
		}
		x.add("hook", h.name, checkOK, "", program+" was found")
	}
	if x.cfg.Hooks.Stop != "" && x.cfg.Hooks.Start == "" {
		x.add("hook", "hooks.start", checkWarn, "name the command that starts it again", "there is a stop hook but no start hook")
	}
}

// firstWord is the program of a command, past assignments of variables.
func firstWord(command string) string {
	for _, word := range strings.Fields(command) {
		if name, _, assigned := strings.Cut(word, "="); assigned && !strings.ContainsAny(name, "/'\"") {
			continue
		}
		return strings.Trim(word, `'"`)
	}
	return command
}

// clock refuses to believe a time before holdfast existed.
func (x *examination) clock() {
	now := x.a.sys.Now()
	if now.Year() < 2024 {
		x.add("clock", "", checkFail, "set the clock: names and retention depend on it", "it says "+moment(now))
		return
	}
	x.add("clock", "", checkOK, "", moment(now))
}
