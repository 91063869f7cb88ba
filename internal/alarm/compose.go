package alarm

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/dustin/go-humanize/english"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

const (
	// mostText bounds a message: the strictest service takes 2000 characters.
	mostText = 1800
	// mostWords bounds what is said of one alarm.
	mostWords = 400
)

// labels are the kinds in a few words, for titles.
var labels = map[string]string{
	KindFailure:  "backups fail",
	KindSilence:  "no backup succeeds",
	KindDamage:   "damage",
	KindUnproven: "nothing is proven",
	KindShrink:   "a backup shrank",
	KindReplica:  "a replica lags",
	KindSpace:    "little room",
	KindDegraded: "data lies in memory",
	KindWiped:    "a storage does not last",
	KindMissing:  "something is gone",
	KindPanel:    "the panel hears nobody",
}

// compose puts what is due into one message.
func (b *Board) compose(n news, now holdfast.Time) Message {
	var parts []string
	for _, e := range n.begun {
		parts = append(parts, said("ALARM: "+e.Alarm.Message, "Since "+moment(e.Alarm.Since)+"."+todo(e)))
	}
	for _, e := range n.still {
		again := ""
		if e.Alarm.Returned > 0 {
			again = fmt.Sprintf(" It ended and came back %s.", english.Plural(int(e.Alarm.Returned), "time", ""))
		}
		parts = append(parts, said("STILL: "+e.Alarm.Message, fmt.Sprintf("Since %s, for %s.%s%s", moment(e.Alarm.Since), span(now.Sub(e.Alarm.Since.Time)), again, todo(e))))
	}
	for _, e := range n.over {
		parts = append(parts, said("OVER: "+e.Alarm.Message, fmt.Sprintf("It lasted %s, until %s.", span(e.Ended.Sub(e.Alarm.Since.Time)), moment(*e.Ended))))
	}
	for _, e := range n.missed {
		parts = append(parts, said("OVER ALREADY: "+e.Alarm.Message, fmt.Sprintf("It was so from %s for %s.", moment(e.Alarm.Since), span(e.Ended.Sub(e.Alarm.Since.Time)))))
	}
	end := "holdfast on " + b.o.Host
	if b.o.Repository != "" {
		end += ", repository " + b.o.Repository
	}
	if b.lost {
		end = "What was told before is not known any more: some of this may have been.\n" + end
	}
	return Message{Title: "holdfast on " + b.o.Host + ": " + headline(n), Text: bounded(parts, end), News: n.told()}
}

func said(what, details string) string { return what + "\n" + details }

func todo(e *entry) string {
	if e.Alarm.Hint == "" {
		return ""
	}
	return "\nWhat to do: " + e.Alarm.Hint
}

// headline says the most in few words.
func headline(n news) string {
	over := append(n.over[:len(n.over):len(n.over)], n.missed...)
	count := func(all []*entry, one string) string {
		if len(all) == 1 {
			return one + labels[all[0].Alarm.Kind]
		}
		return ""
	}
	var words []string
	for _, part := range []struct {
		all       []*entry
		one, many string
	}{{n.begun, "", "alarms"}, {n.still, "still ", "alarms go on"}, {over, "over: ", "alarms are over"}} {
		switch {
		case len(part.all) == 1:
			words = append(words, count(part.all, part.one))
		case len(part.all) > 1:
			words = append(words, fmt.Sprintf("%d %s", len(part.all), part.many))
		}
	}
	return strings.Join(words, "; ")
}

// bounded joins parts as far as there is room, and says how many there was none
// for.
func bounded(parts []string, end string) string {
	var b strings.Builder
	for i, p := range parts {
		left := fmt.Sprintf("… and %d more: `holdfast status`", len(parts)-i)
		if b.Len()+len(p)+len(end)+len(left)+6 > mostText && i > 0 {
			b.WriteString(left + "\n\n")
			break
		}
		b.WriteString(p + "\n\n")
	}
	return b.String() + end
}

func moment(t holdfast.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// absolute finds paths, of which messages show the last element only. What comes
// before them tells them from the rest of a URL, a date or a fraction.
var absolute = regexp.MustCompile(`(^|[\s"'(=,\x60])((?:/|[A-Za-z]:[\\/])[^\s"':,;)\x60]*[/\\][^\s"':,;)\x60]*)`)

// quoted finds quoted paths, which may hold spaces.
var quoted = regexp.MustCompile(`"((?:/|[A-Za-z]:[\\/])[^"]*)"`)

// tidy makes a text fit for people who are told by whatever service: one line, no
// secrets, no paths.
func (b *Board) tidy(s string) string {
	s = redact.Text(strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " "), b.o.Secrets...)
	s = quoted.ReplaceAllStringFunc(s, func(found string) string { return `"` + b.last(strings.Trim(found, `"`)) + `"` })
	s = absolute.ReplaceAllStringFunc(s, func(found string) string {
		m := absolute.FindStringSubmatch(found)
		return m[1] + b.last(m[2])
	})
	if runes := []rune(s); len(runes) > mostWords {
		s = string(runes[:mostWords]) + "…"
	}
	return s
}

// last shows the last element of a path; that of the repository it shows whole.
func (b *Board) last(name string) string {
	if name == b.o.Repository {
		return name
	}
	return "…/" + path.Base(strings.ReplaceAll(name, `\`, "/"))
}
