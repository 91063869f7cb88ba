package ui

import (
	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/locale"
)

// FailureID is the id of the words for a failure, and with .todo of what to do: of its
// cause where that is known, else of its code.
func FailureID(code string, cause holdfast.Cause) string {
	if cause != "" {
		return "cause." + string(cause)
	}
	return "error." + code
}

// failureTitle is what kind of failure it is, in the reader's words.
func failureTitle(p Page, code string, cause holdfast.Cause) string {
	if id := FailureID(code, cause); p.L.Has(id) {
		return p.L.T(id)
	}
	return p.L.Word("error", code)
}

// TellsMore says whether the words of what to do tell the reader more than the hint of
// the engine, which is English.
func TellsMore(p Page, hint string, cause holdfast.Cause) bool {
	return hint == "" || cause != "" && p.L.Lang() != locale.English
}
