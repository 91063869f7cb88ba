package contents_test

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/web/contents"
)

func TestShort(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"notes", "notes"},
		{"", ""},
		{strings.Repeat("a", 72), strings.Repeat("a", 72)},
		{strings.Repeat("a", 48) + strings.Repeat("b", 400), strings.Repeat("a", 47) + "…" + strings.Repeat("b", 24)},
		{strings.Repeat("ที่", 512), strings.Repeat("ที่", 47) + "…" + strings.Repeat("ที่", 24)}, // marks stay on their letters
		{"a\u202eb", "a⟨U+202E⟩b"},
	} {
		if got := contents.Short(c.name); got != c.want {
			t.Errorf("%q is shown as %q, want %q", c.name, got, c.want)
		}
	}
}
