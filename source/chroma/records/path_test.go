package records_test

import (
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/records"
)

// A tenant may have the name of the file beside its folder, in whatever case.
func TestPath_LeavesThePlaceOfServerJSON(t *testing.T) {
	for _, tenant := range []string{records.ServerFile, "Server.JSON"} {
		m := &memory{}
		m.list = append(m.list, collection(tenant, "database", "notes", 3))
		files := write(t, m)
		if len(files) != 3 {
			t.Errorf("tenant %s: %d files", tenant, len(files))
		}
		for path := range files {
			if first, _, inFolder := strings.Cut(path, "/"); inFolder && first == records.ServerFile {
				t.Errorf("tenant %s: %s lies in what is a file", tenant, path)
			}
		}
		report, err := records.Check(t.Context(), files, holdfast.CheckOptions{})
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("tenant %s: %+v %v", tenant, report.Problems, err)
		}
	}
}
