package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// rest stands for the part of a URL that is not shown.
const rest = "/…"

// open are the schemes of addresses whose path is no secret by itself.
var open = []string{"http", "https", "s3", "file", "unix", "tcp", "tls", "ssh", "sftp", "ftp", "git", "ws", "wss"}

// hosted are the schemes of notification services whose URL names a real host;
// with all others the host is a token, or may be.
var hosted = []string{"smtp", "ntfy", "gotify", "matrix", "mattermost", "rocketchat", "signal", "googlechat", "opsgenie", "pagerduty", "zulip", "bark", "generic", "telegram"}

// URL shows a URL without its secrets: the password of the user, query values
// whose name sounds secret, parts of the path that look random. Of the URL of a
// notification service only scheme and host are left. What is no URL at all is
// hidden whole.
func URL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return unreadable(raw)
	}
	if u.Host == "" && u.Opaque != "" {
		return u.Scheme + ":…"
	}
	scheme := strings.ToLower(u.Scheme)
	base, _, _ := strings.Cut(scheme, "+")
	switch {
	case slices.Contains(open, scheme):
	case slices.Contains(hosted, base) && u.Host != "":
		return scheme + "://" + u.Host + rest
	default:
		return scheme + "://…"
	}
	changed := false
	if u.User != nil {
		if _, has := u.User.Password(); has {
			u.User = url.UserPassword(u.User.Username(), "HIDDEN")
			changed = true
		} else if random(u.User.Username()) {
			u.User = url.User("HIDDEN")
			changed = true
		}
	}
	path, pathChanged := openPath(u.EscapedPath())
	query, queryChanged := openQuery(u.RawQuery)
	fragment := u.EscapedFragment()
	if random(fragment) || strings.Contains(fragment, "=") {
		fragment, changed = "…", true
	}
	if !changed && !pathChanged && !queryChanged {
		return raw
	}
	var b strings.Builder
	b.WriteString(u.Scheme + "://")
	if u.User != nil {
		b.WriteString(strings.Replace(u.User.String(), "HIDDEN", Hidden, 1) + "@")
	}
	b.WriteString(u.Host + path)
	if query != "" {
		b.WriteString("?" + query)
	}
	if fragment != "" {
		b.WriteString("#" + fragment)
	}
	return b.String()
}

// Endpoint shows a URL whose path is a secret, as those of webhooks and pings
// are: scheme and host.
func Endpoint(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return unreadable(raw)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return URL(raw)
	}
	if strings.Trim(u.EscapedPath(), "/") == "" && u.RawQuery == "" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + "://" + u.Host + rest
}

// unreadable shows what is no URL: its scheme, if it has one.
func unreadable(raw string) string {
	scheme, _, found := strings.Cut(raw, "://")
	if found && plainScheme.MatchString(scheme) {
		return strings.ToLower(scheme) + "://…"
	}
	return "…"
}

var plainScheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{0,30}$`)

// openPath hides the elements of a path that look random.
func openPath(escaped string) (string, bool) {
	parts, changed := strings.Split(escaped, "/"), false
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil || random(plain) {
			parts[i], changed = Hidden, true
		}
	}
	return strings.Join(parts, "/"), changed
}

// openQuery hides the values of secret names, and those that are URLs with
// secrets of their own.
func openQuery(raw string) (string, bool) {
	if raw == "" {
		return "", false
	}
	parts, changed := strings.Split(raw, "&"), false
	for i, part := range parts {
		name, value, found := strings.Cut(part, "=")
		plain, err := url.QueryUnescape(value)
		plainName, nameErr := url.QueryUnescape(name)
		switch {
		case !found && random(name):
			parts[i], changed = Hidden, true
		case !found || value == "":
		case err != nil || nameErr != nil || secretName(plainName) || random(plain):
			parts[i], changed = name+"="+Hidden, true
		case strings.Contains(plain, "://"):
			if shown := URL(plain); shown != plain {
				parts[i], changed = name+"="+shown, true
			}
		}
	}
	return strings.Join(parts, "&"), changed
}

// secretNames are the parts of names that sound secret. X-Amz-Credential holds
// the id of a key, and whoever has signature and date needs no more.
var secretNames = []string{"token", "secret", "password", "passwd", "passphrase", "pwd", "apikey", "accesskey", "secretkey", "signature", "credential", "auth", "session", "xamz", "hook"}

// secretWhole are names that are secret as a whole, but common as parts.
var secretWhole = []string{"key", "sig", "pass", "code", "jwt", "sas", "k"}

// secretName tells whether a name sounds as if its value were a secret. Names
// that begin with @ are headers of a generic webhook.
func secretName(name string) bool {
	if strings.HasPrefix(name, "@") {
		return true
	}
	plain := strings.NewReplacer("_", "", "-", "", ".", "").Replace(strings.ToLower(name))
	return slices.Contains(secretWhole, plain) ||
		slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(plain, part) })
}

var (
	uuid   = regexp.MustCompile(`(?i)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	digits = regexp.MustCompile(`[0-9]`)
	names  = regexp.MustCompile(`^(?:[a-z]+_)*backup_\d{8}_\d{6}(?:_\d+)?$|^emergency_restore_\d{8}_\d{6}(?:_\d+)?$`)
	dense  = regexp.MustCompile(`[A-Za-z0-9]{16,}`)
	mixed  = regexp.MustCompile(`[a-z][A-Z]|[A-Z][a-z]+[A-Z]`)
)

// random tells whether a text looks like a key rather than a word: a UUID, or
// long without a break and of letters and digits, or of both cases.
func random(s string) bool {
	if uuid.MatchString(s) {
		return true
	}
	if len(s) < 16 || names.MatchString(s) {
		return false
	}
	run := dense.FindString(s)
	if run == "" {
		return len(s) >= 24 && digits.MatchString(s) && mixed.MatchString(s)
	}
	return digits.MatchString(run) || mixed.MatchString(run) || len(run) >= 32
}
