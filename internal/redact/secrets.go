package redact

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

// Secrets gives the parts of configured URLs that must appear in no text: each
// URL as it is, user and password, the elements of its path, secret values of
// its query, and its host where that is a token.
func Secrets(urls ...string) []string {
	var all []string
	add := func(s string) {
		if len(s) >= leastSecret {
			all = append(all, s)
		}
	}
	for _, raw := range urls {
		add(raw)
		u, err := url.Parse(raw)
		if err != nil {
			continue
		}
		add(strings.TrimPrefix(u.String(), u.Scheme+"://"))
		if u.User != nil {
			password, _ := u.User.Password()
			add(password)
			// An address of e-mail is a name; what else stands there is a token
			// with most services.
			if !strings.Contains(u.User.Username(), "@") {
				add(u.User.Username())
			}
			if password != "" {
				add(u.User.Username() + ":" + password)
			}
		}
		if strings.HasSuffix(URL(raw), "://…") {
			add(u.Host)
			add(u.Opaque)
		}
		if path := strings.Trim(u.Path, "/"); !common(path) {
			add(path)
		}
		for part := range strings.SplitSeq(u.Path, "/") {
			if !common(part) {
				add(part)
			}
		}
		for name, values := range u.Query() {
			for _, value := range values {
				if secretName(name) || random(value) {
					add(value)
				}
			}
		}
		add(u.Fragment)
	}
	return all
}

// common tells words that are in the paths of many services, and in messages.
func common(part string) bool {
	switch strings.ToLower(part) {
	case "hook", "hooks", "webhook", "webhooks", "services", "service", "ping", "push", "start", "fail", "success", "notify", "notifications",
		"alarm", "alarms", "alert", "alerts", "backup", "backups", "restore", "status", "health", "message", "messages", "event", "events", "holdfast":
		return true
	}
	return false
}

// quotations gives the forms in which a secret may be quoted: as it is, encoded
// as a part of a URL, and escaped in a string of JSON or Go.
func quotations(secret string) []string {
	out := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), inner(strconv.Quote(secret)), inner(strconv.QuoteToASCII(secret))}
	if b, err := json.Marshal(secret); err == nil {
		out = append(out, inner(string(b)))
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(secret); err == nil {
		out = append(out, inner(strings.TrimSuffix(b.String(), "\n")))
	}
	// A user's part of a URL is escaped by rules of its own.
	out = append(out, url.User(secret).String())
	return out
}

// inner takes the quotation marks off.
func inner(quoted string) string { return quoted[1 : len(quoted)-1] }
