package metrics

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/holdfast-backup/holdfast/internal/testserver"
)

// contrib are the files for others that rest on our names.
const (
	contrib    = "../../contrib/"
	rulesFile  = contrib + "prometheus/holdfast.rules.yml"
	ruleTests  = contrib + "prometheus/holdfast.test.yml"
	boardFile  = contrib + "grafana/holdfast.json"
	monitoring = "../../docs/monitoring.md"
	runbooks   = "https://github.com/holdfast-backup/holdfast/blob/main/docs/monitoring.md#"
)

func read(t *testing.T, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ruleSet is a file of rules.
type ruleSet struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []rule `yaml:"rules"`
	} `yaml:"groups"`
}

type rule struct {
	Alert       string            `yaml:"alert,omitempty"`
	Record      string            `yaml:"record,omitempty"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for,omitempty"`
	Labels      map[string]string `yaml:"labels,omitempty"`
	Annotations map[string]string `yaml:"annotations,omitempty"`
}

func alertRules(t *testing.T) []rule {
	t.Helper()
	var set ruleSet
	if err := yaml.UnmarshalWithOptions([]byte(read(t, rulesFile)), &set, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	if len(set.Groups) != 1 || len(set.Groups[0].Rules) == 0 {
		t.Fatalf("%s has no group of rules", rulesFile)
	}
	return set.Groups[0].Rules
}

// known maps every name that can be asked for to its labels: those of a histogram are
// three.
func known(t *testing.T) map[string][]string {
	t.Helper()
	names := map[string][]string{"up": nil}
	for name, f := range families(t) {
		labels := labelsOf(f)
		names[name] = labels
		if strings.EqualFold(f.GetType().String(), "histogram") {
			names[name+"_bucket"] = append(slices.Clone(labels), "le")
			names[name+"_sum"], names[name+"_count"] = labels, labels
		}
	}
	return names
}

// Parts of PromQL: a name with its selector, and a list of labels.
var (
	selector   = regexp.MustCompile(`\b(up|holdfast_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)\s*"`)
	groupings  = regexp.MustCompile(`\b(?:by|on|without|ignoring)\s*\(([^)]*)\)`)
	oftemplate = regexp.MustCompile(`\$labels\.([a-z_]+)|\{\{([a-z_]+)\}\}`)
)

// checkExpr holds an expression to the names and labels that there are, and so are
// the labels that texts around it show.
func checkExpr(t *testing.T, names map[string][]string, where, expr string, texts ...string) {
	t.Helper()
	labels := []string{"job", "instance", "le"} // Prometheus gives them
	found := selector.FindAllStringSubmatch(expr, -1)
	if len(found) == 0 {
		t.Errorf("%s asks for nothing of ours: %s", where, expr)
	}
	for _, m := range found {
		own, ok := names[m[1]]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, m[1])
		}
		labels = append(labels, own...)
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(own, l[1]) && l[1] != "job" && l[1] != "instance" {
				t.Errorf("%s: %s has no label %s", where, m[1], l[1])
			}
		}
	}
	for _, g := range groupings.FindAllStringSubmatch(expr, -1) {
		for l := range strings.SplitSeq(g[1], ",") {
			if l = strings.TrimSpace(l); !slices.Contains(labels, l) {
				t.Errorf("%s: no metric in it has the label %s", where, l)
			}
		}
	}
	for _, text := range texts {
		for _, m := range oftemplate.FindAllStringSubmatch(text, -1) {
			if l := m[1] + m[2]; !slices.Contains(labels, l) {
				t.Errorf("%s shows the label %s, which no metric in it has", where, l)
			}
		}
	}
}

func TestRules_NameWhatThereIs(t *testing.T) {
	names, guide, tests := known(t), read(t, monitoring), read(t, ruleTests)
	seen := map[string]bool{}
	for _, r := range alertRules(t) {
		if r.Alert == "" || seen[r.Alert] {
			t.Errorf("an alert without a name of its own: %q", r.Alert)
		}
		seen[r.Alert] = true
		summary, description := r.Annotations["summary"], r.Annotations["description"]
		checkExpr(t, names, r.Alert, r.Expr, summary, description)
		if s := r.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has the severity %q", r.Alert, s)
		}
		if summary == "" || description == "" || r.Annotations["runbook_url"] != runbooks+strings.ToLower(r.Alert) {
			t.Errorf("%s lacks a summary, a description or its place in %s: %v", r.Alert, monitoring, r.Annotations)
		}
		if !strings.Contains(guide, "\n### "+r.Alert+"\n\n") {
			t.Errorf("%s does not say what to do about %s", monitoring, r.Alert)
		}
		if !strings.Contains(tests, "- name: "+r.Alert+"\n") {
			t.Errorf("%s does not show when %s fires", ruleTests, r.Alert)
		}
	}
}

// promtool runs the tool that test.sh has fetched.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	dir, err := testserver.Dir()
	if err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(dir, "promtool", "promtool")
	if _, err := os.Stat(tool); err != nil {
		t.Fatalf("promtool is not there: run ./test.sh, which fetches it (%v)", err)
	}
	if out, err := exec.CommandContext(t.Context(), tool, args...).CombinedOutput(); err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// TestRules_Fire holds each alert to its unit test, by Prometheus' own engine.
func TestRules_Fire(t *testing.T) {
	promtool(t, "check", "rules", rulesFile)
	promtool(t, "test", "rules", ruleTests)
}

// board is a Grafana board, as far as it rests on our names.
type board struct {
	Title      string `json:"title"`
	UID        string `json:"uid"`
	Templating struct {
		List []struct {
			Name       string `json:"name"`
			Type       string `json:"type"`
			Definition string `json:"definition"`
		} `json:"list"`
	} `json:"templating"`
	Panels []struct {
		ID      int    `json:"id"`
		Type    string `json:"type"`
		Title   string `json:"title"`
		GridPos struct {
			X, Y, W, H int
		} `json:"gridPos"`
		Datasource struct {
			UID string `json:"uid"`
		} `json:"datasource"`
		Targets []struct {
			Expr         string `json:"expr"`
			LegendFormat string `json:"legendFormat"`
		} `json:"targets"`
	} `json:"panels"`
}

func TestBoard_NamesWhatThereIs(t *testing.T) {
	var b board
	if err := json.Unmarshal([]byte(read(t, boardFile)), &b); err != nil {
		t.Fatal(err)
	}
	names := known(t)
	if b.Title == "" || b.UID == "" || len(b.Templating.List) == 0 || b.Templating.List[0].Type != "datasource" {
		t.Error("the board has no title, or does not ask for a data source")
	}
	for _, v := range b.Templating.List[1:] {
		checkExpr(t, names, "variable "+v.Name, v.Definition)
	}
	var rules []rule
	ids := map[int]bool{}
	for _, p := range b.Panels {
		if ids[p.ID] || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("%q does not fit onto the board", p.Title)
		}
		ids[p.ID] = true
		if p.Datasource.UID != "${datasource}" || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("%q shows nothing of the data source that was chosen", p.Title)
		}
		for _, target := range p.Targets {
			checkExpr(t, names, p.Title, target.Expr, target.LegendFormat)
			expr := strings.NewReplacer("$job", ".*", "$instance", ".*").Replace(target.Expr)
			rules = append(rules, rule{Record: fmt.Sprintf("board:n%d", len(rules)), Expr: expr})
		}
	}
	// Prometheus reads its expressions as if they were rules.
	data, err := yaml.Marshal(map[string]any{"groups": []map[string]any{{"name": "board", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "board.yml")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "check", "rules", file)
}

// TestDocument_TableIsCurrent holds the table of docs/monitoring.md to the program.
func TestDocument_TableIsCurrent(t *testing.T) {
	var lines []string
	for name, f := range families(t) {
		labels := ""
		if names := labelsOf(f); len(names) > 0 {
			labels = "{" + strings.Join(names, ", ") + "}"
		}
		lines = append(lines, fmt.Sprintf("| `%s%s` | %s | %s |", name, labels, strings.ToLower(f.GetType().String()), f.GetHelp()))
	}
	slices.Sort(lines)
	table := "\n| name | type | |\n|---|---|---|\n" + strings.Join(lines, "\n") + "\n"
	text := read(t, monitoring)
	head, rest, found := strings.Cut(text, "-update -->\n")
	_, tail, ended := strings.Cut(rest, "\n<!-- end -->")
	if !found || !ended {
		t.Fatalf("%s has no place for the table", monitoring)
	}
	want := head + "-update -->\n" + table + "\n<!-- end -->" + tail
	if *update {
		if err := os.WriteFile(monitoring, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if text != want {
		t.Errorf("the table in %s is not current; -update writes it anew", monitoring)
	}
}
