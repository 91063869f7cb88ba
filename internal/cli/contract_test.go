package cli

import (
	"encoding"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// TestEveryFieldIsDocumented holds docs/json.md to the objects.
func TestEveryFieldIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, part := range strings.Split(string(data), "\n## ")[1:] {
		heading, body, _ := strings.Cut(part, "\n")
		sections[heading] = body
	}
	// What has a section of its own is not described again where it appears.
	own := map[reflect.Type]string{
		reflect.TypeFor[holdfast.Metadata]():   "Metadata",
		reflect.TypeFor[holdfast.Problem]():    "Problem",
		reflect.TypeFor[holdfast.Proof]():      "Proof",
		reflect.TypeFor[report.Backup]():       "A backup in a list",
		reflect.TypeFor[report.Decision]():     "prune",
		reflect.TypeFor[report.Replicated]():   "replicate",
		reflect.TypeFor[report.Replica]():      "status",
		reflect.TypeFor[report.Hold]():         "Hold",
		reflect.TypeFor[report.Hidden]():       "A hidden backup",
		reflect.TypeFor[holdfast.Standing]():   "A program",
		reflect.TypeFor[report.Error]():        "error",
		reflect.TypeFor[report.LastRestore]():  "The last restore",
		reflect.TypeFor[holdfast.Part]():       "A part",
		reflect.TypeFor[holdfast.PartPlan]():   "The plan of a store",
		reflect.TypeFor[holdfast.PartChange](): "What becomes of a table",
	}
	for heading, object := range map[string]any{
		"error": report.Error{}, "event": report.Event{}, "backup": report.BackupResult{}, "guard": guardObject{}, "list": report.List{}, "show": report.Show{},
		"verify": report.Verify{}, "drill": report.Drill{}, "restore_plan": report.RestorePlan{}, "rollback_plan": report.RollbackPlan{}, "The last restore": report.LastRestore{}, "A part": holdfast.Part{}, "The plan of a store": holdfast.PartPlan{}, "What becomes of a table": holdfast.PartChange{}, "restore": report.Restore{}, "run": runObject{}, "serve": serveObject{}, "A program": holdfast.Standing{}, "recover": report.Recover{},
		"export": report.Export{}, "replicate": report.Replicate{}, "delete": report.Delete{}, "pin": report.Pin{}, "prune": report.Prune{}, "status": report.Status{},
		"doctor": doctorObject{}, "health": healthObject{}, "init": initObject{}, "key": keyObject{}, "key_change": keyChangeObject{}, "token": tokenObject{}, "tokens": tokensObject{}, "token_revoked": tokenRevokedObject{}, "password": passwordObject{}, "notify_test": notifyTestObject{}, "rescue": rescueObject{}, "config": configObject{}, "completion": completionObject{},
		"contents": report.Contents{}, "rows": report.Rows{}, "row": report.OneRow{}, "hit": report.Hit{}, "search": report.Found{}, "diff_table": report.DiffTable{}, "diff_row": report.DiffRow{}, "diff": report.Diff{},
		"version": versionObject{}, "A backup in a list": report.Backup{}, "A hidden backup": report.Hidden{}, "compact": report.Compact{}, "Hold": report.Hold{}, "Problem": holdfast.Problem{}, "Proof": holdfast.Proof{},
	} {
		body, ok := sections[heading]
		if !ok {
			t.Errorf("no section %q", heading)
			continue
		}
		for _, field := range fieldsOf(reflect.TypeOf(object), own, heading) {
			if !strings.Contains(body, "`"+field+"`") {
				t.Errorf("section %q does not describe %q", heading, field)
			}
		}
	}
}

// fieldsOf lists the JSON names of a type and of what lies in it.
func fieldsOf(t reflect.Type, own map[reflect.Type]string, section string) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	text := reflect.TypeFor[encoding.TextMarshaler]()
	if t.Kind() != reflect.Struct || t.Implements(text) || reflect.PointerTo(t).Implements(text) {
		return nil
	}
	if other, ok := own[t]; ok && other != section {
		return nil
	}
	var names []string
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name != "" {
			names = append(names, name)
		}
		names = append(names, fieldsOf(f.Type, own, section)...)
	}
	return names
}
