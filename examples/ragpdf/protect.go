package main

import (
	"context"
	"errors"
	"log"
)

// What goes on when holdfast gives no backup, because it failed or does not answer.
// Without a backup nothing is changed, unless the flag --without-backup says that
// uploads that only add, or everything goes on with a warning.
const (
	withoutNothing    = "nothing"
	withoutUploads    = "uploads"
	withoutEverything = "everything"
)

// A change is what a backup is asked for.
type change struct {
	note    string // kept with the backup
	deletes bool   // it takes something away
}

// protect asks for a backup before a change. The notices say what stands behind the
// change, also where it is less than it should be; an error keeps it from happening.
func (a *assistant) protect(ctx context.Context, c change) ([]notice, error) {
	allowed := a.without == withoutEverything || a.without == withoutUploads && !c.deletes
	made, err := a.holdfast.before(ctx, c.note)
	refused, isRefusal := errors.AsType[*refusal](err)
	switch {
	case err == nil && made.Name == "":
		return []notice{{Tone: warn, ID: "backup.off"}}, nil
	case err == nil && made.Incomplete && c.deletes && !allowed:
		return nil, say("backup.incomplete_refused", made.Name)
	case err == nil && made.Incomplete:
		return []notice{{Tone: warn, ID: "backup.incomplete", Args: []any{made.Name}, Backup: made.Name}}, nil
	case err == nil:
		return []notice{{Tone: good, ID: "backup.made", Args: []any{made.Name}, Backup: made.Name}}, nil
	}
	var reason error
	switch {
	case isRefusal && refused.Code == "unauthorized":
		reason = say("backup.token")
	case isRefusal && refused.Code == "locked":
		reason = say("backup.locked")
	case isRefusal:
		reason = say("backup.failed", refused.Error())
	default:
		reason = say("backup.silent", a.holdfast.address)
	}
	if !allowed {
		return nil, because(err, "backup.refused", reason)
	}
	log.Print("changed without a backup: ", err)
	return []notice{{Tone: warn, ID: "backup.without", Args: []any{reason}}}, nil
}
