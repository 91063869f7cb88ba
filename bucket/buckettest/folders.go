package buckettest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// folderNames lists the folders below prefix.
func folderNames(t *testing.T, b bucket.Bucket, prefix string) []string {
	t.Helper()
	found := []string{}
	for name, err := range b.Folders(t.Context(), prefix) {
		must(t, err)
		found = append(found, name)
	}
	return found
}

func folders(t *testing.T, b bucket.Bucket) {
	// "-" and "." sort before "/", "0" after: the order is that of whole keys.
	for _, key := range []string{"object", "a/b/c/d", "a/b/e", "a/f", "a/z/g", "a-/h", "a./i", "a0/j", "ab/k", "ข้อมูล/ล", ".dot/l"} {
		put(t, b, key, "x")
	}
	for prefix, want := range map[string][]string{
		"":               {".dot", "a-", "a.", "a", "a0", "ab", "ข้อมูล"},
		"a/":             {"b", "z"},
		"a/b/":           {"c"},
		"a/b/c/":         {},
		"ab/":            {},
		"absent/deeper/": {},
		"object/":        {},
	} {
		if got := folderNames(t, b, prefix); !slices.Equal(got, want) {
			t.Errorf("Folders(%q) gave %q, want %q", prefix, got, want)
		}
	}
	var first []string
	for name, err := range b.Folders(t.Context(), "") {
		must(t, err)
		if first = append(first, name); len(first) == 2 {
			break
		}
	}
	if want := []string{".dot", "a-"}; !slices.Equal(first, want) {
		t.Errorf("stopped after %q, want %q", first, want)
	}
}

func foldersRefused(t *testing.T, b bucket.Bucket) {
	put(t, b, "a/b/c", "x")
	for _, prefix := range []string{"a", "a/b", "/", "../", "a/../", "./", "a//", `a\b/`, "a\x00/"} {
		told := false
		for name, err := range b.Folders(t.Context(), prefix) {
			is(t, fmt.Sprintf("Folders(%q) (gave %q)", prefix, name), err, holdfast.ErrUsage)
			told = true
		}
		if !told {
			t.Errorf("Folders(%q) was not refused", prefix)
		}
	}
}

func foldersHidden(t *testing.T, b bucket.Bucket) {
	commit(t, b, "kept", map[string]string{"sub/a": "A"})
	commit(t, b, "removed", map[string]string{"a": "A"})
	s := stage(t, b, "staged", map[string]string{"a": "A"})
	must(t, b.RemoveTree(t.Context(), "removed", marker))
	if got := folderNames(t, b, ""); !slices.Equal(got, []string{"kept"}) {
		t.Errorf("Folders gave %q, want only what is committed", got)
	}
	must(t, s.Abort(t.Context()))
}
