package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
)

// The names that a restore gives to what it makes, and to what it puts aside.
const (
	midRestore = "-restore-"
	midOld     = "-old-"
)

// longestName is the length that a server takes: the first releases take less.
func longestName(s api.Server) int {
	if s.API == api.V1 {
		return 63
	}
	return 512
}

// beside is a name beside NAME: NAME-old-STAMP. A name that would become too long is
// cut, and told from others of the same beginning by a digest.
func beside(name, middle, stamp string, longest int) string {
	tail := middle + stamp
	if len(name)+len(tail) <= longest {
		return name + tail
	}
	sum := sha256.Sum256([]byte(name))
	tail = "-" + hex.EncodeToString(sum[:4]) + tail
	return strings.TrimRight(name[:max(longest-len(tail), 1)], "._-") + tail
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z0-9]$`)

// checkName refuses a name for a collection that the server would refuse in the end.
func checkName(p place, s api.Server) error {
	longest := longestName(s)
	if len(p.Name) >= 3 && len(p.Name) <= longest && validName.MatchString(p.Name) {
		return nil
	}
	return &holdfast.Error{
		Op: "restore into", Object: "collection " + p.String(),
		Err:  holdfast.Kindf(holdfast.ErrUsage, "the server takes no such name: 3 to %d of the characters a-z A-Z 0-9 . _ -, the first and last of them a letter or digit", longest),
		Hint: "restore it under another name",
	}
}
