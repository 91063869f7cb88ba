package locale_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
)

// texts is anything whose values are words.
func texts[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// enumerations are the groups of words for the values of the program, with all values:
// every one of them has its word, also those that come one day only.
var enumerations = map[string][]string{
	"verdict": report.Verdicts(),
	"type":    texts(holdfast.Enhanced, holdfast.Standard),
	"trigger": texts(holdfast.Triggers()...),
	"kind":    texts(holdfast.KindSQLite, holdfast.KindChroma, holdfast.KindFiles),
	"form":    {report.FormFull, report.FormDelta},
	"job": {
		operation.KindBackup, operation.KindVerify, operation.KindDrill, operation.KindRestore, operation.KindRollback, operation.KindRecover,
		operation.KindPrune, operation.KindReplicate, operation.KindCompact, operation.KindDelete, operation.KindConfirm,
	},
	"state": texts(job.States()...),
	"step": texts(holdfast.StepChoose, holdfast.StepEmergency, holdfast.StepValidate, holdfast.StepStage, holdfast.StepCheck, holdfast.StepStop,
		holdfast.StepSwap, holdfast.StepMemory, holdfast.StepStart, holdfast.StepConfirm, holdfast.StepRollback, holdfast.StepPreflight,
		holdfast.StepCapture, holdfast.StepExport, holdfast.StepCommit, holdfast.StepVerify, holdfast.StepRehearse, holdfast.StepPrune,
		holdfast.StepCompact, holdfast.StepCopy, holdfast.StepResult),
	"stepstate":   texts(holdfast.Started, holdfast.Progress, holdfast.Finished, holdfast.Failed, holdfast.Skipped),
	"error":       append(codes(), "unauthorized", "forbidden", "too_many", "too_large"),
	"cause":       texts(holdfast.Causes()...),
	"alarm":       config.AlarmKinds(),
	"severity":    texts(holdfast.Damaged, holdfast.Incomplete, holdfast.Warning),
	"proof":       texts(holdfast.ProofStored, holdfast.ProofVerify, holdfast.ProofDrill),
	"consistency": texts(holdfast.Consistent, holdfast.Fuzzy),
	"check":       texts(holdfast.CheckOK, holdfast.CheckFailed, holdfast.CheckUnfinished, holdfast.CheckUnchecked),
	"origin":      texts(config.FromFlag, config.FromEnvironment, config.FromDotEnv, config.FromFile, config.FromDefault),
	"scope":       texts(access.AllScopes()...),
	"standing": texts(holdfast.StandingStarting, holdfast.StandingReady, holdfast.StandingDegraded, holdfast.StandingRestoring,
		holdfast.StandingRestarting, holdfast.StandingStopping, holdfast.StandingStopped),
	"survival": texts(holdfast.SurvivalFirst, holdfast.SurvivalKept, holdfast.SurvivalWiped, holdfast.SurvivalTwo, holdfast.SurvivalUnclear,
		holdfast.SurvivalUnknown),
	"start":        texts(holdfast.StartKept, holdfast.StartRestored, holdfast.StartNew, holdfast.StartFailed),
	"settings.key": keys(),
	"month":        numbers(1, 12),
	"month.short":  numbers(1, 12),
	"weekday":      numbers(0, 6),
}

// more are the further words that each value of a group has.
var more = map[string][]string{
	"verdict": {".sentence", ".todo"}, "job": {".doing", ".done"}, "error": {".todo"}, "cause": {".todo"}, "alarm": {".todo"},
}

func codes() []string {
	var out []string
	for exit := range 256 {
		if code := report.Code(exit); code != "" {
			out = append(out, code)
		}
	}
	return out
}

func keys() []string {
	var out []string
	for _, k := range config.Keys() {
		out = append(out, k.Name)
	}
	return out
}

func numbers(from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, strconv.Itoa(n))
	}
	return out
}

func TestCatalogue_AWordForEveryValue(t *testing.T) {
	for group, values := range enumerations {
		for _, value := range values {
			for _, suffix := range append([]string{""}, more[group]...) {
				for _, lang := range locale.Languages() {
					if id := group + "." + value + suffix; !locale.Of(lang).Has(id) {
						t.Errorf("nobody has said %s in %s", id, lang)
					}
				}
			}
		}
	}
}

// A use is a place in the code that asks for sentences: one id, or all that begin and end
// in a way.
type use struct {
	at             token.Position
	prefix, suffix string
	whole          bool     // prefix is all of it
	must           bool     // it is said without a look whether it is there
	args           []string // names that are given with it; nil: not known
}

// verbs are the functions that take an id, and the place of the id among their arguments.
var verbs = map[string]int{"T": 0, "N": 0, "Split": 0, "SplitN": 0, "Has": 0, "Notice": 1, "Undo": 2}

// uses finds where the pages and this package ask for sentences, and all strings that may
// be ids elsewhere.
func uses(t *testing.T) (found []use, literals map[string]bool) {
	t.Helper()
	literals = map[string]bool{}
	for _, root := range []string{".", "../web", "../panel"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.BasicLit:
					if text, ok := literal(n); ok {
						literals[text] = true
					}
				case *ast.BinaryExpr:
					if u, ok := joined(n); ok {
						u.at = files.Position(n.Pos())
						found = append(found, u)
						return false
					}
				case *ast.CallExpr:
					if u, ok := asked(n); ok {
						u.at = files.Position(n.Pos())
						found = append(found, u)
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found, literals
}

func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(lit.Value)
	return text, err == nil
}

// joined reads "group." + value, "group." + value + ".more" and id + ".more".
func joined(e *ast.BinaryExpr) (use, bool) {
	if e.Op != token.ADD {
		return use{}, false
	}
	var parts []ast.Expr
	for expr := ast.Expr(e); ; {
		b, ok := expr.(*ast.BinaryExpr)
		if !ok {
			parts = append(parts, expr)
			break
		}
		parts = append(parts, b.Y)
		expr = b.X
	}
	prefix, _ := literal(parts[len(parts)-1])
	suffix, _ := literal(parts[0])
	switch {
	case beginLike.MatchString(prefix):
		return use{prefix: prefix, suffix: suffix}, true
	case prefix == "" && endLike.MatchString(suffix):
		return use{suffix: suffix}, true
	}
	return use{}, false
}

// What an id looks like, how it begins, and how it ends.
var (
	idLike    = regexp.MustCompile(`^[a-z]+(\.[a-z0-9_ .]+)+$`)
	beginLike = regexp.MustCompile(`^[a-z]+\.[a-z0-9_.]*$`)
	endLike   = regexp.MustCompile(`^\.[a-z_]+$`)
)

// asked reads l.T("id", "name", value …) and l.Word("group", value).
func asked(call *ast.CallExpr) (use, bool) {
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return use{}, false
	}
	if f.Sel.Name == "Word" && len(call.Args) == 2 {
		group, ok := literal(call.Args[0])
		return use{prefix: group + "."}, ok
	}
	at, ok := verbs[f.Sel.Name]
	if !ok || len(call.Args) <= at {
		return use{}, false
	}
	id, ok := literal(call.Args[at])
	if !ok || !idLike.MatchString(id) {
		return use{}, false
	}
	u := use{prefix: id, whole: true, must: f.Sel.Name != "Has"}
	if rest := call.Args[at+1:]; (f.Sel.Name == "T" || f.Sel.Name == "N") && !call.Ellipsis.IsValid() {
		u.args = []string{}
		if f.Sel.Name == "N" {
			u.args, rest = append(u.args, "n"), rest[1:]
		}
		for i := 0; i+1 < len(rest); i += 2 {
			name, ok := literal(rest[i])
			if !ok {
				u.args = nil // whoever names places elsewhere is asked no more
				break
			}
			u.args = append(u.args, name)
		}
	}
	return u, true
}

// ids are those of the catalogue, each with the names of its places and its file.
func ids(t *testing.T) (places map[string][]string, files map[string]string) {
	t.Helper()
	places, files = map[string][]string{}, map[string]string{}
	slot := regexp.MustCompile(`\{\{\.(\w+)\}\}`)
	all, err := filepath.Glob("messages/*.en.yaml")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	for _, file := range all {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var entries map[string]any
		if err := yaml.Unmarshal(data, &entries); err != nil {
			t.Fatal(err)
		}
		for id, value := range entries {
			files[id], places[id] = file, []string{}
			texts := []any{value}
			if forms, ok := value.(map[string]any); ok {
				texts = []any{forms["other"]}
			}
			for _, text := range texts {
				for _, m := range slot.FindAllStringSubmatch(text.(string), -1) {
					places[id] = append(places[id], m[1])
				}
			}
		}
	}
	return places, files
}

func TestCatalogue_WhatTheCodeSaysIsWritten(t *testing.T) {
	places, _ := ids(t)
	found, _ := uses(t)
	for _, u := range found {
		switch want, ok := places[u.prefix]; {
		case !u.whole:
			if !slices.ContainsFunc(keysOf(places), func(id string) bool { return strings.HasPrefix(id, u.prefix) }) && enumerations[strings.TrimSuffix(u.prefix, ".")] != nil {
				t.Errorf("%s: no sentence begins with %s", u.at, u.prefix)
			}
		case !ok && u.must:
			t.Errorf("%s: there is no sentence %s", u.at, u.prefix)
		case ok && u.args != nil:
			for _, name := range want {
				if !slices.Contains(u.args, name) {
					t.Errorf("%s: the sentence %s has a place for %s, which is not given", u.at, u.prefix, name)
				}
			}
			for _, name := range u.args {
				if name != "n" && !slices.Contains(want, name) {
					t.Errorf("%s: the sentence %s has no place for %s", u.at, u.prefix, name)
				}
			}
		}
	}
}

// The words of enumerations are there for every surface, also before the first one says
// them; everything else is said somewhere.
func TestCatalogue_NothingIsWrittenForNobody(t *testing.T) {
	places, files := ids(t)
	found, literals := uses(t)
	said := map[string]bool{}
	for group, values := range enumerations {
		for _, value := range values {
			for _, suffix := range append([]string{""}, more[group]...) {
				said[group+"."+value+suffix] = true
			}
		}
	}
	var used func(id string) bool
	used = func(id string) bool {
		if literals[id] || said[id] {
			return true
		}
		if dot := strings.LastIndex(id, "."); dot > 0 && literals[id[:dot]] && literals[id[dot+1:]] {
			return true // put together of two names, as in relative.go
		}
		return slices.ContainsFunc(found, func(u use) bool {
			if u.whole || !strings.HasPrefix(id, u.prefix) || !strings.HasSuffix(id, u.suffix) {
				return false
			}
			return u.prefix != "" || used(strings.TrimSuffix(id, u.suffix))
		})
	}
	for id := range places {
		if !used(id) {
			t.Errorf("%s: nothing says %s", files[id], id)
		}
	}
}

func keysOf(m map[string][]string) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}
