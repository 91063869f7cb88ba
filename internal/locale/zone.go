package locale

import (
	"time"
	_ "time/tzdata" // the binary is one file and knows all zones wherever it runs
)

// mostZone is longer than every name of a zone.
const mostZone = 64

// Zone gives the time zone with a name of the IANA list, as browsers tell it; false for
// a name that is none. "Local" is none: whose it is, nobody could tell.
func Zone(name string) (*time.Location, bool) {
	if name == "" || name == "Local" || len(name) > mostZone {
		return nil, false
	}
	zone, err := time.LoadLocation(name)
	return zone, err == nil
}
