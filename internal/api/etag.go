package api

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// tagOf makes an entity tag: whatever has the same parts has the same tag.
func tagOf(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write([]byte(p))
		h.Write([]byte{0})
	}
	return `"` + hex.EncodeToString(h.Sum(nil)[:16]) + `"`
}

// matches tells whether an If-None-Match or If-Match names the tag.
func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
		if one == "*" || one == tag {
			return true
		}
	}
	return false
}

// changedMeanwhile tells that what the client knows is not what is there.
func changedMeanwhile(object string) *Problem {
	p := newProblem(http.StatusPreconditionFailed, holdfast.ExitRefused,
		"it has changed since you read it", "read it again and decide anew")
	p.Object = object
	return p
}
