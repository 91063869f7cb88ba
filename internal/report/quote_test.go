package report_test

import (
	"os/exec"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/report"
)

// TestQuoted_IsReadBackByAShell types quoted words into a shell: what it reads is the word.
func TestQuoted_IsReadBackByAShell(t *testing.T) {
	for _, c := range []struct{ word, quoted string }{
		{"doc-17", "doc-17"},
		{"", "''"},
		{"two words", "'two words'"},
		{"it's $HOME `id` \\ !", `'it'\''s $HOME ` + "`id`" + ` \ !'`},
		{"\x1b[31mred\x07", `$'\033[31mred\007'`},
		{"a\nb'c\\d7\x017", `$'a\012b\'c\\d7\0017'`},
		{"\u202efdp.exe", `$'\342\200\256fdp.exe'`},
		{"not\xffutf", `$'not\377utf'`},
		{"می\u200cخواهم", "می\u200cخواهم"},
		{"ข้อมูล", "ข้อมูล"},
	} {
		quoted := report.Quoted(c.word)
		if quoted != c.quoted {
			t.Errorf("Quoted(%q) = %s, want %s", c.word, quoted, c.quoted)
		}
		out, err := exec.Command("bash", "-c", "printf %s "+quoted).Output()
		if err != nil || string(out) != c.word {
			t.Errorf("a shell reads %s as %q, %v; want %q", quoted, out, err, c.word)
		}
	}
}
