package config

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"

	"github.com/holdfast-backup/holdfast"
)

// A Server is where a Chroma source without a directory is: a running server that is
// asked by requests.
type Server struct {
	URL string // with credentials, if it has any; never shown
	// Tenants and Databases bound what is asked for; none is the default tenant, and
	// all of its databases.
	Tenants   []string
	Databases []string
	// Headers are sent with every request. They are secrets.
	Headers     http.Header
	HeadersFile string
	// Rate is how many requests are sent in a second at most; zero is the client's
	// own measure.
	Rate float64
	// Patience is how long a request that failed in passing is tried again; zero is the
	// client's own measure.
	Patience time.Duration
}

// Location is the URL as it may be shown.
func (s *Server) Location() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery, u.Fragment = nil, "", ""
	return strings.TrimRight(u.String(), "/")
}

// The keys of a source that is a server; keyURL is that of a replica, too.
const (
	keyTenant      = "tenant"
	keyDatabases   = "databases"
	keyHeaders     = "headers"
	keyHeadersFile = "headers_file"
	keyRate        = "rate"
	keyPatience    = "patience"
)

var serverKeys = []string{keyURL, keyTenant, keyDatabases, keyHeaders, keyHeadersFile, keyRate, keyPatience}

// keyChromaHeaders gives the headers of every source that has none of its own, one
// "Name: value" a line.
const keyChromaHeaders = "chroma_headers"

// serverKey reads a key of a source that is a server.
func (w *walker) serverKey(s *Source, key, full string, n ast.Node) {
	if s.Server == nil {
		s.Server = &Server{}
	}
	switch key {
	case keyURL:
		s.Server.URL, _ = w.scalar(n, full)
	case keyTenant:
		s.Server.Tenants = w.list(n, full)
	case keyDatabases:
		s.Server.Databases = w.list(n, full)
	case keyHeadersFile:
		s.Server.HeadersFile, _ = w.scalar(n, full)
	case keyRate:
		raw, _ := w.scalar(n, full)
		rate, err := strconv.ParseFloat(raw, 64)
		if raw != "" && (err != nil || !(rate > 0) || rate > 1e6) {
			w.layer.fault(w.at(n), "a number of requests in a second, such as 50", "%s: %q is none", full, raw)
			return
		}
		s.Server.Rate = rate
	case keyPatience:
		raw, _ := w.scalar(n, full)
		patience, err := parseDuration(raw)
		if raw != "" && (err != nil || patience <= 0) {
			w.layer.fault(w.at(n), "how long a request that failed is tried again, such as 2m", "%s: %q is no length of time", full, raw)
			return
		}
		s.Server.Patience = patience
	case keyHeaders:
		s.Server.Headers = http.Header{}
		for _, e := range w.entries(n, full) {
			name := keyText(e.Key)
			value, ok := w.scalar(e.Value, join(full, name))
			if !ok {
				continue
			}
			if err := addHeader(s.Server.Headers, name, value); err != nil {
				w.layer.fault(w.at(e.Key), "", "%s: %v", full, err)
			}
		}
	}
}

// addHeader adds a header; an error quotes no value.
func addHeader(h http.Header, name, value string) error {
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	switch {
	case !headerName.MatchString(name):
		return fmt.Errorf("%q is no name of a header", name)
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return fmt.Errorf("the value of the header %s holds a character that no header may have", name)
	case slices.Contains([]string{"Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection"}, textproto.CanonicalMIMEHeaderKey(name)):
		return fmt.Errorf("the header %s is made with each request, and cannot be given", name)
	}
	h.Add(name, value)
	return nil
}

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// parseHeaders reads lines of "Name: value"; empty ones and comments are left out.
func parseHeaders(text string) (http.Header, error) {
	h := http.Header{}
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, fmt.Errorf(`line %d is not "Name: value"`, i+1)
		}
		if err := addHeader(h, name, value); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return h, nil
}

// headersKey is the key of headers in the environment.
func headersKey() Key {
	return Key{
		Name: keyChromaHeaders, EnvOnly: true,
		Doc: "Headers for Chroma servers whose source has none of its own, one `Name: value` a line, in the environment only.",
		assign: func(c *Config, raw string) error {
			h, err := parseHeaders(raw)
			if err != nil {
				return fmt.Errorf("a header a line: %w", err)
			}
			c.ChromaHeaders = h
			return nil
		},
	}
}

// variable is ${NAME} in the value of a header.
var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}`)

// settleServer fills in what the headers of a server refer to: variables, a file, the
// environment.
func (c *Config) settleServer(s *Source, lookup func(string) string, faults *layer) {
	server := *s.Server
	s.Server = &server
	where, key := s.Origin.String(), join(sourcesKey, s.Name)
	headers := http.Header{}
	for name, values := range server.Headers {
		for _, value := range values {
			value = variable.ReplaceAllStringFunc(value, func(found string) string {
				text := lookup(found[2 : len(found)-1])
				if text == "" {
					faults.fault(where, "set the variable, or remove the header", "%s.%s.%s: %s is not set", key, keyHeaders, name, found)
				}
				return text
			})
			if err := addHeader(headers, name, value); err != nil {
				faults.fault(where, "", "%s.%s: %v", key, keyHeaders, err)
			}
		}
	}
	if server.HeadersFile = expandHome(server.HeadersFile); server.HeadersFile != "" {
		text, ok := faults.readValue(join(key, keyHeadersFile), server.HeadersFile)
		more, err := parseHeaders(text)
		if ok && err != nil {
			faults.fault(server.HeadersFile, "one header a line", "%v", err)
		}
		for name, values := range more {
			headers[name] = append(headers[name], values...)
		}
		if info, err := os.Stat(server.HeadersFile); err == nil && open(info.Mode()) {
			c.Warnings = append(c.Warnings, holdfast.Problem{
				Object: server.HeadersFile, Severity: holdfast.Warning,
				Message: fmt.Sprintf("it holds a secret, and other users may read it (mode %04o)", info.Mode().Perm()), Hint: "chmod 600 " + server.HeadersFile,
			})
		}
	}
	if len(headers) == 0 {
		headers = c.ChromaHeaders.Clone()
	}
	server.Headers = headers
}

// checkServer judges a source that is a server.
func checkServer(l *layer, s Source) {
	where, key := s.Origin.String(), join(sourcesKey, s.Name)
	switch {
	case s.Kind != holdfast.KindChroma:
		l.fault(where, "remove "+strings.Join(serverKeys, ", "), "%s: only a Chroma source can be a server", key)
	case s.Path != "":
		l.fault(where, "keep one of them: a path for a directory, a url for a running server", "%s has a path and a url", key)
	case s.Server.URL == "":
		l.fault(where, "name the server: url: http://HOST:8000", "%s.url is missing", key)
	default:
		if err := checkServerURL(s.Server.URL); err != nil {
			l.fault(where, "write it as http://HOST:PORT or https://HOST:PORT", "%s.url: %v", key, err)
		}
	}
}

// checkServerURL judges the address of a server; an error does not quote it, since it
// may hold a password.
func checkServerURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return errors.New("it is no URL")
	case u.Scheme != "http" && u.Scheme != "https":
		return errors.New("it is no address of a server")
	case u.Host == "":
		return errors.New("it names no host")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it has a query or a fragment, which no server takes")
	}
	return nil
}

// values shows a server as settings.
func (s *Server) values(prefix string, origin Origin) []Value {
	out := []Value{{Key: join(prefix, keyURL), Value: s.Location(), Origin: origin}}
	add := func(key, value string, secret bool) {
		if value != "" {
			out = append(out, Value{Key: join(prefix, key), Value: value, Origin: origin, Secret: secret})
		}
	}
	add(keyTenant, strings.Join(s.Tenants, ", "), false)
	add(keyDatabases, strings.Join(s.Databases, ", "), false)
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		add(join(keyHeaders, name), strings.Join(s.Headers[name], ", "), true)
	}
	add(keyHeadersFile, s.HeadersFile, false)
	if s.Rate > 0 {
		add(keyRate, strconv.FormatFloat(s.Rate, 'g', -1, 64), false)
	}
	if s.Patience > 0 {
		add(keyPatience, s.Patience.String(), false)
	}
	return out
}

// template writes the keys of a server, without secrets.
func (s *Server) template(b *strings.Builder) {
	fmt.Fprintf(b, "    url: %s\n", scalar(s.Location()))
	for _, list := range []struct {
		key   string
		names []string
	}{{keyTenant, s.Tenants}, {keyDatabases, s.Databases}} {
		if len(list.names) == 0 {
			continue
		}
		names := make([]string, len(list.names))
		for i, name := range list.names {
			names[i] = scalar(name)
		}
		fmt.Fprintf(b, "    %s: [%s]\n", list.key, strings.Join(names, ", "))
	}
	file := s.HeadersFile
	if file == "" {
		fmt.Fprintf(b, "    # headers_file: a file with \"Name: value\" lines, such as X-Chroma-Token: …\n")
		return
	}
	fmt.Fprintf(b, "    headers_file: %s\n", scalar(file))
}

// AdHocServer makes a source from a flag's value, "URL" or "name=URL".
func AdHocServer(flag, value string) (Source, error) {
	s := Source{Kind: holdfast.KindChroma, Server: &Server{URL: value}, Origin: Origin{Layer: FromFlag, Where: "--" + flag}}
	if name, address, found := strings.Cut(value, "="); found && !strings.ContainsAny(name, `/\:`) {
		s.Name, s.Server.URL = name, address
	} else {
		s.Name = defaultName(s.Kind, "")
	}
	wrong := func(err error) error {
		return &holdfast.Error{
			Op: "--" + flag, Object: s.Name, Err: holdfast.Kindf(holdfast.ErrUsage, "%v", err),
			Hint: "write --" + flag + " http://HOST:PORT or --" + flag + " NAME=http://HOST:PORT",
		}
	}
	if _, err := holdfast.ParseSourceName(s.Name); err != nil {
		return Source{}, wrong(err)
	}
	if err := checkServerURL(s.Server.URL); err != nil {
		return Source{}, wrong(err)
	}
	return s, nil
}
