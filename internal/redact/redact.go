// Package redact removes secrets from what people and logs are shown: the
// passwords, tokens and keys of URLs, secrets that the caller knows, and what
// looks like a token wherever it stands.
//
// [URL] and [Endpoint] show a URL, [Text] cleans a text that may quote one (as
// net/http's errors do), [Error] does so to an error and keeps what errors.Is
// and errors.As find. [Secrets] takes the parts of configured URLs that must
// appear nowhere, in the forms in which libraries quote them.
//
// What is not known to be harmless is hidden: too much costs a look into the
// configuration, too little a password.
package redact

import (
	"regexp"
	"slices"
	"strings"
)

// Hidden stands where a secret was.
const Hidden = "[hidden]"

// mark stands for Hidden while a text is worked on: it may stand in a URL.
const mark = "hidden-..-"

// leastSecret is the length from which a secret is looked for in texts: the
// letters of a shorter one are in every word.
const leastSecret = 4

var (
	// address finds URLs in a text. What ends a sentence or a quotation is no
	// part of them.
	address = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>` + "`" + `\\]+`)

	// looks are what betrays itself by its form, and what is written instead.
	looks = []struct {
		form    *regexp.Regexp
		instead string
	}{
		{regexp.MustCompile(`\bhf_[A-Za-z0-9-]+(_[A-Za-z0-9_-]*)?`), "hf_" + Hidden},
		{regexp.MustCompile(`(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}`), "$1 " + Hidden},
		{regexp.MustCompile(`\bAGE-(SECRET-KEY|PLUGIN)-[A-Z0-9-]+`), "AGE-$1-" + Hidden},
		{regexp.MustCompile(`\b(bot)?\d{6,}(:|%3A)[A-Za-z0-9_-]{30,}`), Hidden}, // of a Telegram bot
		{regexp.MustCompile(`(?i)\b((?:[a-z0-9]+[_-])*(?:password|passwd|passphrase|secret|token|api[_-]?key|secret[_-]?access[_-]?key))=[^\s&"',;]+`), "$1=" + Hidden},
	}
)

// Text removes the secrets from s, in whatever form they were quoted, and what
// looks like one. URLs in it are shown as [URL] shows them.
func Text(s string, secrets ...string) string {
	for _, form := range forms(secrets) {
		s = strings.ReplaceAll(s, form, mark)
	}
	// What is hidden already must not keep a URL from being read.
	s = strings.ReplaceAll(s, Hidden, mark)
	s = address.ReplaceAllStringFunc(s, func(found string) string {
		whole := strings.TrimRight(found, ".,:;!?)]}")
		return URL(whole) + found[len(whole):]
	})
	s = strings.ReplaceAll(s, mark, Hidden)
	for _, l := range looks {
		s = l.form.ReplaceAllString(s, l.instead)
	}
	return s
}

// forms gives every form of the secrets, longer ones first: a secret may be a
// part of another.
func forms(secrets []string) []string {
	var all []string
	for _, secret := range secrets {
		for _, form := range quotations(secret) {
			if len(form) >= leastSecret && form != Hidden {
				all = append(all, form)
			}
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// Error gives err with a text that [Text] has cleaned. errors.Is and errors.As
// find what they found before; the texts of what As finds are not cleaned.
func Error(err error, secrets ...string) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	clean := Text(text, secrets...)
	if clean == text {
		return err
	}
	return &redacted{text: clean, err: err}
}

type redacted struct {
	text string
	err  error
}

func (r *redacted) Error() string { return r.text }
func (r *redacted) Unwrap() error { return r.err }
