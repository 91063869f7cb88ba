package chromaproxy

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const base = "/api/v2/tenants/default_tenant/databases/default_database"

// incoming is a request as net/http would hand it over; nil if it would not.
func incoming(method, target string, headers ...string) *http.Request {
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil
	}
	r := &http.Request{Method: method, URL: u, Header: http.Header{}}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestClassify_KnowsTheRequestsOfBothAPIs(t *testing.T) {
	for _, c := range []struct {
		method, path string
		want         Kind
	}{
		{"GET", "/api/v2/heartbeat", Read},
		{"GET", "/api/v2/pre-flight-checks", Read},
		{"GET", "/api/v2/auth/identity", Read},
		{"GET", "/api/v2/version", Read},
		{"GET", "/", Read},
		{"OPTIONS", base + "/collections", Read},
		{"HEAD", "/api/v2/heartbeat", Read},
		{"GET", base + "/collections", Read},
		{"GET", base + "/collections_count", Read},
		{"GET", base + "/collections/memory", Read},
		{"GET", base + "/collections/reset", Read},
		{"GET", base + "/collections/1/count", Read},
		{"POST", base + "/collections/1/get", Read},
		{"POST", base + "/collections/1/query", Read},
		{"POST", base + "/collections/1/count", Read},
		{"POST", base + "/collections/1/search", Read},
		{"POST", "/api/v2/tenants/my%20tenant/databases/d%C3%A9/collections/1/get", Read},
		{"POST", "/api/v1/collections/1/get", Read},
		{"POST", "/api/v1/collections/1/query?tenant=t", Read},

		{"POST", base + "/collections/1/add", Write},
		{"POST", base + "/collections/1/upsert", Write},
		{"POST", base + "/collections/1/update", Write},
		{"POST", base + "/collections/1/delete", Write},
		{"POST", base + "/collections", Write},
		{"PUT", base + "/collections/1", Write},
		{"POST", base + "/collections/1/fork", Write},
		{"POST", "/api/v2/tenants", Write},
		{"PATCH", "/api/v2/tenants/t", Write},
		{"POST", "/api/v2/tenants/t/databases", Write},
		{"POST", "/api/v1/collections/1/add", Write},
		{"POST", "/api/v1/collections", Write},
		{"POST", "/api/v1/raw_sql", Write},
		{"POST", "/", Write},
		{"POST", "/api/v3/whatever", Write},
		{"PUT", "/x", Write},
		{"FROBNICATE", "/x", Write},
		{"POST", "/api/v2/collections/1/get", Write},
		{"POST", base + "/collections/get", Write},
		{"POST", "/get", Write},
		{"POST", base + "/collections/1/functions/get", Write},

		{"DELETE", base + "/collections/memory", Deletion},
		{"DELETE", "/api/v2/tenants/t/databases/d", Deletion},
		{"DELETE", "/api/v1/collections/memory", Deletion},
		{"DELETE", "/", Deletion},
		{"POST", "/api/v2/reset", Deletion},
		{"POST", "/api/v1/reset", Deletion},
		{"GET", "/api/v1/reset", Deletion},
		{"PUT", "/api/v2/reset", Deletion},
	} {
		if got := Classify(incoming(c.method, c.path)); got != c.want {
			t.Errorf("%s %s is a %s, want a %s", c.method, c.path, got, c.want)
		}
	}
}

func TestClassify_TricksMakeNothingHarmless(t *testing.T) {
	for _, c := range []struct {
		method, target string
		headers        []string
		least          Kind
	}{
		{"POST", "//api/v2/reset", nil, Deletion},
		{"POST", "/api//v2//reset", nil, Deletion},
		{"POST", "/api/v2/reset/", nil, Deletion},
		{"POST", "/api/v2/reset//", nil, Deletion},
		{"POST", "/api/v2/./reset", nil, Deletion},
		{"POST", "/api/v2/x/../reset", nil, Deletion},
		{"POST", "/api/v2/reset/.", nil, Deletion},
		{"POST", "/api/v2/reset/x/..", nil, Deletion},
		{"POST", "/api/v2/%72eset", nil, Deletion},
		{"POST", "/api/v2%2Freset", nil, Deletion},
		{"POST", "/api/v2/%2572eset", nil, Deletion},
		{"POST", "/API/V2/RESET", nil, Deletion},
		{"POST", "/api/v2/reset;x=1", nil, Deletion},
		{"POST", `/api/v2\reset`, nil, Deletion},
		{"POST", "/api/v2%5Creset", nil, Deletion},
		{"POST", "/api/v2/reset%20", nil, Deletion},
		{"POST", "/api/v2/reset?get", nil, Deletion},
		{"POST", "/../../api/v2/reset", nil, Deletion},
		{"POST", "http://other.example/api/v2/reset", nil, Deletion},
		{"POST", "/api/v1/collections/x%2F..%2F..%2Freset%2F..%2Freset", nil, Deletion},
		{"GET", "/api//v1/reset", nil, Deletion},
		{"POST", base + "/collections/1/get/../delete", nil, Write},
		{"POST", base + "/collections/1/delete%2F..%2Fget", nil, Write},
		{"POST", base + "/collections/1/get/", nil, Write},
		{"POST", base + "/collections/1/GET", nil, Write},
		{"POST", base + "/collections/1%2Fadd%2F/get", nil, Write},
		{"POST", base + "/collections/1/get;/add", nil, Write},
		{"POST", base + "/collections/../collections/get", nil, Write},
		{"POST", "/api/v1/collections/../get", nil, Write},
		{"POST", base + "/collections/1/get", []string{"X-HTTP-Method-Override", "DELETE"}, Deletion},
		{"GET", base + "/collections/m", []string{"X-Method-Override", "delete"}, Deletion},
		{"GET", base + "/collections/1/add", []string{"X-HTTP-Method", "post"}, Write},
		{"delete", "/x", nil, Deletion},
		{"get", "/x", nil, Write},
		{"GET", base + "/collections/m", []string{"X-HTTP-Method-Override", "GET", "X-HTTP-Method-Override", "DELETE"}, Deletion},
	} {
		if got := Classify(incoming(c.method, c.target, c.headers...)); got < c.least {
			t.Errorf("%s %s %v is a %s, want a %s at least", c.method, c.target, c.headers, got, c.least)
		}
	}
}

// oracle is what servers do with a path, written without a look at Classify: one
// that matches it as it is sent, one that decodes it first, and one that also
// tidies it up.
func oracle(method, escaped string) Kind {
	worst := Read
	readings := []string{escaped}
	if text, err := url.PathUnescape(escaped); err == nil {
		readings = append(readings, text)
	}
	slashes := regexp.MustCompile(`/+`)
	for _, s := range readings[:] {
		readings = append(readings, strings.TrimSuffix(slashes.ReplaceAllString(s, "/"), "/"))
	}
	reset := regexp.MustCompile(`^/api/v[12]/reset$`)
	asks := regexp.MustCompile(`^/api/(v2/tenants/[^/]+/databases/[^/]+|v1)/collections/[^/]+/(get|query|count|search)$`)
	for _, path := range readings {
		switch {
		case method == "DELETE", method == "POST" && reset.MatchString(path):
			worst = max(worst, Deletion)
		case method == "GET", method == "HEAD", method == "OPTIONS":
		case method == "POST" && asks.MatchString(path):
		default:
			worst = max(worst, Write)
		}
	}
	return worst
}

// FuzzClassify_IsNeverMilderThanAServer holds the classifier against servers that
// read a path in one way or another.
func FuzzClassify_IsNeverMilderThanAServer(f *testing.F) {
	for _, path := range []string{
		base + "/collections/1/get", base + "/collections/1/add", "/api/v2/reset", "/api/v1/reset", "/api/v2%2freset", "//api//v2/reset/", "/api/v1/collections/1/query",
		base + "/collections/%2e%2e/get", "/api/v2/%72eset", base + "/collections/a%2Fb/get", base + "/collections/1/get%2F", "/%00", "/%zz", "*", "", "/api/v1/collections//get",
	} {
		for _, method := range []string{"GET", "POST", "PUT", "DELETE", "HEAD"} {
			f.Add(method, path)
		}
	}
	f.Fuzz(func(t *testing.T, method, target string) {
		r := incoming(method, target)
		if r == nil {
			return
		}
		escaped := r.URL.EscapedPath()
		if got, want := Classify(r), oracle(method, escaped); got < want {
			t.Errorf("%s %q is a %s, and a server may take it for a %s", method, escaped, got, want)
		}
	})
}
