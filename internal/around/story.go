package around

import (
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

const (
	// mostStory bounds the log that a ping carries.
	mostStory = 10 << 10
	// mostProblems bounds those that a webhook is told of.
	mostProblems = 50
)

// A teller puts a verb into words that hold no secret.
type teller struct {
	host, tool string
	secrets    []string
}

func (t teller) clean(s string) string { return redact.Text(s, t.secrets...) }

// before is what a webhook gets when a verb begins.
func (t teller) before(v engine.Verb, now time.Time) message {
	sources := v.Sources
	if sources == nil {
		sources = []string{}
	}
	return message{
		Operation: v.Operation, Op: v.Op, Trigger: v.Trigger, Backup: v.Backup, Sources: sources,
		Begun: holdfast.At(v.Begun), Host: t.host, Time: holdfast.At(now), ToolVersion: t.tool,
	}
}

// after is what it gets when the verb has ended.
func (t teller) after(v engine.Verb, outcome result, now time.Time) message {
	m := t.before(v, now)
	m.Result, m.DurationMS, m.StoredBytes = outcome, v.Duration.Milliseconds(), v.Stored
	if v.Err != nil {
		m.Error, m.Hint = line(t.clean(v.Err.Error())), line(t.clean(holdfast.HintOf(v.Err)))
	}
	for i, p := range v.Problems {
		if i == mostProblems {
			m.Problems = append(m.Problems, holdfast.Problem{Severity: holdfast.Warning, Message: fmt.Sprintf("and %d more", len(v.Problems)-i)})
			break
		}
		p.Message, p.Hint, p.Object = line(t.clean(p.Message)), line(t.clean(p.Hint)), line(t.clean(p.Object))
		m.Problems = append(m.Problems, p)
	}
	return m
}

// beginning is the log of a verb that begins.
func (t teller) beginning(v engine.Verb) string {
	var s story
	t.open(&s, v)
	return s.String()
}

// story is the log of a verb that has ended, as a ping carries it: what was done,
// how it ended, and everything that was wrong, as far as there is room.
func (t teller) story(v engine.Verb, outcome result, now time.Time) string {
	var s story
	t.open(&s, v)
	s.tell(t, "ended %s after %s: %s, exit status %d", holdfast.At(now), v.Duration.Round(time.Millisecond), outcome, exitOf(v, outcome))
	switch {
	case v.Err != nil:
		s.tell(t, "error: %v", v.Err)
		if hint := holdfast.HintOf(v.Err); hint != "" {
			s.tell(t, "hint: %s", hint)
		}
	case outcome == resultUnchanged:
		s.tell(t, "nothing has changed since %s", v.Backup)
	default:
		s.tell(t, "made %s, %s stored", v.Backup, humanize.IBytes(uint64(max(0, v.Stored))))
	}
	for _, p := range v.Problems {
		where := strings.TrimSpace(p.Source + " " + p.Object)
		if where != "" {
			where += ": "
		}
		s.tell(t, "%s: %s%s", p.Severity, where, p.Message)
	}
	return s.String()
}

// open tells what every log begins with.
func (t teller) open(s *story, v engine.Verb) {
	what := v.Op
	if v.Trigger != "" {
		what += " (" + string(v.Trigger) + ")"
	}
	s.tell(t, "%s on %s, holdfast %s, operation %s", what, t.host, t.tool, v.Operation)
	s.tell(t, "began %s", holdfast.At(v.Begun))
	if len(v.Sources) > 0 {
		s.tell(t, "sources: %s", strings.Join(v.Sources, ", "))
	}
}

// A story is a log of bounded length.
type story struct{ strings.Builder }

func (s *story) tell(t teller, format string, args ...any) {
	l := line(t.clean(fmt.Sprintf(format, args...))) + "\n"
	if s.Len()+len(l) <= mostStory {
		s.WriteString(l)
	}
}

// exitOf is the exit status that the command of the verb ends with.
func exitOf(v engine.Verb, outcome result) int {
	if outcome == resultIncomplete {
		return holdfast.ExitIncomplete
	}
	return holdfast.ExitCode(v.Err)
}
