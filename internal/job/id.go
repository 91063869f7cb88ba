package job

import (
	"crypto/rand"
	"regexp"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// idTime is the moment in an id, to the millisecond, so that ids sort by time.
const idTime = "20060102T150405.000"

// idPattern is what newID gives. An id from outside becomes part of a path only if it
// looks like this.
var idPattern = regexp.MustCompile(`^[0-9]{8}T[0-9]{9}-[A-Z2-7]{8}$`)

// newID names a job that is asked for at a moment.
func newID(at time.Time) string {
	return strings.Replace(at.UTC().Format(idTime), ".", "", 1) + "-" + rand.Text()[:8]
}

// errUnknown tells that there is no such job. What it repeats of a name from
// outside is bounded.
func errUnknown(id string) error {
	const most = 64
	if len(id) > most {
		id = id[:most]
	}
	return &holdfast.Error{
		Op: "job", Object: strings.ToValidUTF8(id, ""), Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no such job"),
		Hint: "jobs that ended long ago are removed; the backups are in the list of backups",
	}
}
