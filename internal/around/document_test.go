package around

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/config"
)

// What docs/alarms.md shows is read as it stands there, and its variables are
// those that a command finds.
func TestDocument(t *testing.T) {
	page, err := os.ReadFile("../../docs/alarms.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		t.Fatalf("only %d configurations found", len(blocks))
	}
	for _, block := range blocks {
		file := filepath.Join(t.TempDir(), "holdfast.yaml")
		if err := os.WriteFile(file, []byte(block[1]), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Flags{}, []string{"HOLDFAST_CONFIG=" + file})
		if err != nil {
			t.Errorf("%s\n%v", block[1], err)
			continue
		}
		if told := New(c, Options{Environ: []string{}}) != nil; told == (len(c.Notify.URLs) > 0) {
			t.Errorf("%s\ntells somebody around the verbs: %t", block[1], told)
		}
	}
	a := &around{}
	for _, v := range a.environment(begun(), "") {
		name, _, _ := strings.Cut(v, "=")
		if !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("%s is not described", name)
		}
	}
	for _, event := range config.WebhookEvents() {
		if !strings.Contains(string(page), event) {
			t.Errorf("%s is not described", event)
		}
	}
	for _, kind := range config.AlarmKinds() {
		if !slices.ContainsFunc(strings.Split(string(page), "\n"), func(l string) bool { return strings.HasPrefix(l, "| `"+kind+"` |") }) {
			t.Errorf("%s is not described", kind)
		}
	}
}
