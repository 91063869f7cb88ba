package cli

import (
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// hiddenText tells people of the deleted backups whose space is not free yet,
// why, and how to free it; nothing if there are none.
func hiddenText(items []report.Hidden) string {
	var b strings.Builder
	for _, i := range items {
		b.WriteString(clean(i.Name.String()) + " is deleted, but " + size(i.HeldBytes) + " of it stay ")
		switch {
		case i.Error != "":
			b.WriteString("because its tombstone is damaged; `holdfast delete " + clean(i.Name.String()) + "` again frees it\n")
		case len(i.NeededBy) > 0:
			b.WriteString("until " + nameList(i.NeededBy) + " " + isOrAre(len(i.NeededBy)) + " gone; `holdfast compact` frees them now\n")
		case len(i.Unreadable) > 0:
			b.WriteString("because " + nameList(i.Unreadable) + " cannot be read and may need it\n")
		default:
			b.WriteString("until the next command that writes\n")
		}
	}
	return b.String()
}

// namesShown bounds the names in one sentence.
const namesShown = 3

// nameList lists backups in a sentence.
func nameList(list []holdfast.BackupName) string {
	var words []string
	for _, name := range list[:min(len(list), namesShown)] {
		words = append(words, clean(name.String()))
	}
	if more := len(list) - len(words); more > 0 {
		words = append(words, plural(more, "other", "others"))
	}
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}

func isOrAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}
