package chromaproxy

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// A Kind is what a request does to the data.
type Kind int

// The kinds, the harmless first.
const (
	Read     Kind = iota // changes nothing
	Write                // changes records, or makes or changes something that holds them
	Deletion             // takes a collection, a database or everything away
)

// String names the kind.
func (k Kind) String() string {
	switch k {
	case Read:
		return "read"
	case Write:
		return "write"
	}
	return "deletion"
}

// asking are the verbs of a collection that are asked with POST and change
// nothing.
var asking = []string{"get", "query", "count", "search"}

// overrides are headers by which some servers let a request be another one.
var overrides = []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override"}

// Classify tells what a request does, on the path as the server behind us gets
// it. Whatever is not known to be harmless is taken for worse: an unknown
// request that is no GET is a write, any DELETE is a deletion, and a path that
// two servers may read in two ways is read in the worse one.
func Classify(r *http.Request) Kind {
	path := r.URL.EscapedPath()
	kind := max(classify(r.Method, path), classify(strings.ToUpper(r.Method), path)) // not every server minds the case
	for _, name := range overrides {
		for _, method := range r.Header.Values(name) {
			kind = max(kind, classify(strings.ToUpper(strings.TrimSpace(method)), path))
		}
	}
	return kind
}

func classify(method, escaped string) Kind {
	parts, plain := segments(escaped)
	switch method {
	case http.MethodDelete:
		return Deletion
	case http.MethodHead, http.MethodOptions, http.MethodTrace:
		return Read
	case http.MethodGet:
		// Early servers were reset by whatever method.
		if len(parts) == 3 && isReset(parts) {
			return Deletion
		}
		return Read
	}
	switch {
	case isReset(parts):
		return Deletion
	case method == http.MethodPost && plain && asks(parts):
		return Read
	}
	return Write
}

// isReset tells whether a path ends in reset, however it is written.
func isReset(parts []string) bool {
	return len(parts) > 0 && strings.EqualFold(parts[len(parts)-1], "reset")
}

// asks tells whether a path is one of those that ask a collection:
// /api/v2/tenants/T/databases/D/collections/C/VERB or /api/v1/collections/C/VERB.
func asks(parts []string) bool {
	var verb string
	switch {
	case len(parts) == 9 && parts[0] == "api" && parts[1] == "v2" && parts[2] == "tenants" && parts[4] == "databases" && parts[6] == "collections":
		verb = parts[8]
	case len(parts) == 5 && parts[0] == "api" && parts[1] == "v1" && parts[2] == "collections":
		verb = parts[4]
	}
	return slices.Contains(asking, verb)
}

// segments takes a path apart as the most generous server would: percent signs
// are decoded until none is left, backslashes separate, doubled slashes count as
// one, dot segments are resolved, parameters after a semicolon are cut off.
// plain tells that none of that made a difference: every server reads such a path
// in this one way.
func segments(escaped string) (parts []string, plain bool) {
	// What is decoded twice may have been a name with a percent sign in it, so
	// only a path that stays the same after the first time is plain.
	text, err := url.PathUnescape(escaped)
	plain = err == nil && strings.Count(text, "/") == strings.Count(escaped, "/")
	if err != nil {
		text = escaped
	}
	for range 3 {
		again, err := url.PathUnescape(text)
		if err != nil || again == text {
			break
		}
		text, plain = again, false
	}
	if strings.ContainsAny(text, "\\;") {
		text, plain = strings.ReplaceAll(text, "\\", "/"), false
	}
	first, rest, found := strings.Cut(text, "/")
	if !found || first != "" {
		plain, rest = false, text
	}
	for part := range strings.SplitSeq(rest, "/") {
		part, _, _ = strings.Cut(part, ";")
		part = strings.TrimSpace(part)
		switch part {
		case "", ".":
			plain = false
		case "..":
			plain = false
			parts = parts[:max(0, len(parts)-1)]
		default:
			parts = append(parts, part)
		}
	}
	return parts, plain
}
