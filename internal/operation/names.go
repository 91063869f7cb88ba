package operation

import (
	"cmp"
	"context"
	"slices"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/repo"
)

// latest stands for the newest backup wherever a name does.
const latest = "latest"

// mostNames bounds the backups, sources and replicas that one request names.
const mostNames = 1000

// wrong refuses a request.
func wrong(op, hint, format string, args ...any) error {
	return &holdfast.Error{Op: op, Err: holdfast.Kindf(holdfast.ErrUsage, format, args...), Hint: hint}
}

// backupName accepts the name of a backup, or latest; empty is latest.
func backupName(name string) (string, error) {
	if name = cmp.Or(name, latest); name == latest {
		return name, nil
	}
	parsed, err := holdfast.ParseBackupName(name)
	return string(parsed), err
}

// backupNames accepts names, each once. None of them may be latest, which can be
// another backup the next moment.
func backupNames(op string, names []string) ([]holdfast.BackupName, error) {
	if len(names) == 0 || len(names) > mostNames {
		return nil, wrong(op, "", "it takes 1 to %d names", mostNames)
	}
	var parsed []holdfast.BackupName
	for _, name := range names {
		n, err := holdfast.ParseBackupName(name)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(parsed, n) {
			parsed = append(parsed, n)
		}
	}
	return parsed, nil
}

// sourceNames accepts the names of sources, and the memory.
func sourceNames(op string, names []string) error {
	if len(names) > mostNames {
		return wrong(op, "", "it takes at most %d sources", mostNames)
	}
	for _, name := range names {
		if name == "memory" {
			continue
		}
		if _, err := holdfast.ParseSourceName(name); err != nil {
			return err
		}
	}
	return nil
}

// replicaNames accepts the names of configured replicas. The engine would take places
// as well, but those are paths.
func (o *Operations) replicaNames(op string, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(o.config.Replicas, func(r config.Replica) bool { return r.Name == name }) {
			return &holdfast.Error{Op: op, Object: "replica " + clipped(name), Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no replica of that name"), Hint: "the names are those of the configuration"}
		}
	}
	return nil
}

// clipped bounds what is repeated of a text from outside.
func clipped(s string) string {
	const most = 64
	if len(s) > most {
		s = s[:most]
	}
	out := make([]rune, 0, len(s))
	for _, r := range s {
		if unicode.IsPrint(r) && r != utf8.RuneError {
			out = append(out, r)
		}
	}
	return string(out)
}

// checkNote refuses a note that is no text.
func checkNote(note string) error {
	switch {
	case len(note) > holdfast.MaxNote:
		return wrong("note", "", "it can have at most %d bytes, this one has %d", holdfast.MaxNote, len(note))
	case !utf8.ValidString(note):
		return wrong("note", "", "it must be valid UTF-8")
	}
	for _, r := range note {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return wrong("note", "", "control characters are not allowed in it")
		}
	}
	return nil
}

// find looks up backups in the repository.
func find(ctx context.Context, e *engine.Engine, names []holdfast.BackupName) ([]repo.Info, error) {
	r, err := repository(e)
	if err != nil {
		return nil, err
	}
	var infos []repo.Info
	for _, name := range names {
		info, err := r.Stat(ctx, string(name))
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// repository is that of an engine, which may stand in for one that cannot be used.
func repository(e *engine.Engine) (*repo.Repository, error) {
	if r := e.Repository(); r != nil {
		return r, nil
	}
	return nil, &holdfast.Error{Op: "repository", Err: holdfast.Kindf(holdfast.ErrNotFound, "it cannot be used"), Hint: "the status tells why"}
}
