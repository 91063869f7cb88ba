package cli

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// A drill that had nothing to compare with does not claim that everything is the same.
func TestDrill_ClaimsNoMoreThanWasCompared(t *testing.T) {
	for _, c := range []struct {
		compared []holdfast.Comparison
		want     string
	}{
		{nil, "nothing to compare it with"},
		{[]holdfast.Comparison{{OK: true}}, "everything is as it was captured"},
	} {
		var out strings.Builder
		u := newUI(System{Stdout: &out, Stderr: &out}, &globals{})
		(&drillCmd{}).print(u, report.Drill{Backup: "b", OK: true, Proof: &holdfast.Proof{OK: true, Compared: c.compared}})
		if !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "as it was captured") != (c.compared != nil) {
			t.Errorf("%+v: %s", c.compared, &out)
		}
	}
}
