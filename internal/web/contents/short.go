package contents

import (
	"strings"

	"github.com/rivo/uniseg"
)

// mostOfName is how many letters of a name stand in a list or a heading. Its end is kept,
// as names of one kind begin alike.
const mostOfName, endOfName = 72, 24

// Short is a name from outside, without its middle where it is long. It is cut between two
// letters as readers see them, with the marks that stand on them.
func Short(name string) string {
	name = Visible(name)
	if uniseg.GraphemeClusterCount(name) <= mostOfName {
		return name
	}
	var letters []string
	for g := uniseg.NewGraphemes(name); g.Next(); {
		letters = append(letters, g.Str())
	}
	return strings.Join(letters[:mostOfName-1-endOfName], "") + "…" + strings.Join(letters[len(letters)-endOfName:], "")
}
