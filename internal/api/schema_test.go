package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// A spec is the document as it is served. It is read without the framework that made it,
// and strictly: what is answered and not described is a fault.
type spec struct {
	Paths      map[string]map[string]specOperation `json:"paths"`
	Components struct {
		Schemas map[string]schema `json:"schemas"`
	} `json:"components"`
}

type specOperation struct {
	ID        string                  `json:"operationId"`
	Scope     *string                 `json:"x-scope"`
	Responses map[string]specResponse `json:"responses"`
	Body      *struct {
		Content map[string]struct{ Schema schema } `json:"content"`
	} `json:"requestBody"`
}

// excludes tells whether there is a scope with which the operation is refused.
func (o specOperation) excludes() bool {
	return o.Scope != nil && *o.Scope != "" && (!strings.Contains(*o.Scope, "read") || !strings.Contains(*o.Scope, "backup"))
}

type specResponse struct {
	Content map[string]struct{ Schema schema } `json:"content"`
}

type schema map[string]any

// of finds the operation that answers a request.
func (s *spec) of(method, path string) (pattern string, op specOperation, ok bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	parts := strings.Split(path, "/")
	for pattern, operations := range s.Paths {
		wanted := strings.Split(pattern, "/")
		if len(wanted) != len(parts) {
			continue
		}
		same := true
		for i, part := range wanted {
			same = same && (part == parts[i] || strings.HasPrefix(part, "{"))
		}
		if op, found := operations[strings.ToLower(method)]; found && same {
			return pattern, op, true
		}
	}
	return "", specOperation{}, false
}

// check holds a value to a schema and gives everything that is wrong.
func (s *spec) check(at string, want schema, v any) []string {
	if ref, ok := want["$ref"].(string); ok {
		name := ref[strings.LastIndex(ref, "/")+1:]
		target, ok := s.Components.Schemas[name]
		if !ok {
			return []string{at + ": no schema " + name}
		}
		return s.check(at, target, v)
	}
	if options, ok := want["anyOf"].([]any); ok {
		var wrong []string
		for _, option := range options {
			faults := s.check(at, option.(map[string]any), v)
			if len(faults) == 0 {
				return nil
			}
			wrong = append(wrong, faults[0])
		}
		return []string{at + " is none of what it can be: " + strings.Join(wrong, "; ")}
	}
	if wrong := checkType(at, want, v); wrong != "" {
		return []string{wrong}
	}
	if options, ok := want["enum"].([]any); ok && !slices.Contains(options, v) {
		return []string{fmt.Sprintf("%s: %v is none of %v", at, v, options)}
	}
	switch v := v.(type) {
	case []any:
		return s.checkItems(at, want, v)
	case map[string]any:
		return s.checkProperties(at, want, v)
	}
	return nil
}

func (s *spec) checkItems(at string, want schema, v []any) (wrong []string) {
	items, ok := want["items"].(map[string]any)
	if !ok {
		return nil
	}
	for i, item := range v {
		wrong = append(wrong, s.check(at+"["+strconv.Itoa(i)+"]", items, item)...)
	}
	return wrong
}

func (s *spec) checkProperties(at string, want schema, v map[string]any) (wrong []string) {
	properties, described := want["properties"].(map[string]any)
	required, _ := want["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok {
			wrong = append(wrong, fmt.Sprintf("%s lacks %s", at, name))
		}
	}
	rest, _ := want["additionalProperties"].(map[string]any)
	for name, value := range v {
		switch p, ok := properties[name].(map[string]any); {
		case ok:
			wrong = append(wrong, s.check(at+"."+name, p, value)...)
		case rest != nil:
			wrong = append(wrong, s.check(at+"."+name, rest, value)...)
		case described:
			wrong = append(wrong, fmt.Sprintf("%s.%s is not described", at, name))
		}
	}
	return wrong
}

func checkType(at string, want schema, v any) string {
	var kinds []string
	switch kind := want["type"].(type) {
	case string:
		kinds = []string{kind}
	case []any:
		for _, k := range kind {
			kinds = append(kinds, k.(string))
		}
	default:
		return ""
	}
	is := map[string]bool{}
	switch v := v.(type) {
	case nil:
		is["null"] = true
	case bool:
		is["boolean"] = true
	case string:
		is["string"] = true
	case float64:
		is["number"], is["integer"] = true, v == float64(int64(v))
	case []any:
		is["array"] = true
	case map[string]any:
		is["object"] = true
	}
	if slices.ContainsFunc(kinds, func(k string) bool { return is[k] }) {
		return ""
	}
	return fmt.Sprintf("%s: %v (%T) is no %v", at, v, v, kinds)
}

// holdTo holds one response to the document.
func (s *spec) holdTo(t *testing.T, method, path string, status int, kind string, body []byte) {
	t.Helper()
	pattern, op, ok := s.of(method, path)
	if !ok {
		// No operation: a problem all the same.
		op.Responses = map[string]specResponse{strconv.Itoa(status): {Content: s.problem()}}
	} else {
		produced.note(op.ID, status)
	}
	where := fmt.Sprintf("%s %s → %d", method, path, status)
	answer, ok := op.Responses[strconv.Itoa(status)]
	if !ok {
		t.Errorf("%s (%s): this status is not in the document: %s", where, pattern, body)
		return
	}
	if len(body) == 0 {
		if len(answer.Content) > 0 && method != http.MethodHead {
			t.Errorf("%s: no body", where)
		}
		return
	}
	kind, _, _ = strings.Cut(kind, ";")
	content, ok := answer.Content[kind]
	if !ok {
		t.Errorf("%s: %s is not in the document", where, kind)
		return
	}
	if !strings.HasSuffix(kind, "json") {
		return
	}
	var v any
	if kind == linesType {
		// Each line is one of the items.
		body = []byte("[" + strings.Join(strings.Split(strings.TrimSpace(string(body)), "\n"), ",") + "]")
	}
	if err := json.Unmarshal(body, &v); err != nil {
		t.Errorf("%s: %v: %s", where, err, body)
		return
	}
	for _, wrong := range s.check("body", content.Schema, v) {
		t.Errorf("%s: %s\n%s", where, wrong, body)
	}
}

// problem is the content of a failure, taken from an operation.
func (s *spec) problem() map[string]struct{ Schema schema } {
	_, op, _ := s.of(http.MethodGet, Root+"/version")
	return op.Responses["400"].Content
}

// produced is what the tests of this run have seen.
var produced coverage

type coverage struct {
	mu   sync.Mutex
	seen map[string]map[int]bool
}

func (c *coverage) note(operation string, status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]map[int]bool{}
	}
	if c.seen[operation] == nil {
		c.seen[operation] = map[int]bool{}
	}
	c.seen[operation][status] = true
}

// missing tells which answers of the document were never seen: of every operation its
// successes and what the door says, of the whole every status.
func (c *coverage) missing(s *spec) (missing []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	documented, seen := map[int]bool{}, map[int]bool{}
	for _, statuses := range c.seen {
		for status := range statuses {
			seen[status] = true
		}
	}
	for _, operations := range s.Paths {
		for _, op := range operations {
			for text := range op.Responses {
				status, _ := strconv.Atoi(text)
				documented[status] = true
				always := status < 400 || status == 406 || status == 422 || status == 401 || status == 403 && op.excludes()
				if always && !c.seen[op.ID][status] {
					missing = append(missing, op.ID+" "+text)
				}
			}
		}
	}
	for status := range documented {
		if !seen[status] {
			missing = append(missing, fmt.Sprintf("no operation answered %d", status))
		}
	}
	slices.Sort(missing)
	return missing
}
