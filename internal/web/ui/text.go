package ui

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// Relative tells how far from now a time is: 12 minutes ago, in 3 hours. What was
// yesterday, the reader's zone decides.
func Relative(p Page, t time.Time) string {
	if t.After(p.Now) {
		return p.L.Until(t, p.Now)
	}
	return p.L.Ago(t, p.Now.In(p.Zone))
}

// way tells the script how a time that has passed is told: one that was to come is due,
// while another one is so long ago.
func way(p Page, t time.Time) string {
	if t.After(p.Now) {
		return "due"
	}
	return "ago"
}

// timesWords are the words with which the script goes on telling times, as JSON.
func timesWords(l *locale.Locale) string {
	type way struct {
		Now     string    `json:"now"`
		Minutes [2]string `json:"minutes"`
		Hours   [2]string `json:"hours"`
	}
	forms := func(id string) [2]string {
		const many = 7
		return [2]string{
			strings.Replace(l.N(id, 1), l.Number(1), "#", 1),
			strings.Replace(l.N(id, many), l.Number(many), "#", 1),
		}
	}
	text, err := json.Marshal(map[string]any{
		"ago":   way{l.T("ago.now"), forms("ago.minutes"), forms("ago.hours")},
		"until": way{l.T("until.now"), forms("until.minutes"), forms("until.hours")},
		"due":   l.T("until.due"),
	})
	if err != nil {
		return "null" // the script leaves times as they are
	}
	return string(text)
}

// WholeTime is a time in the reader's calendar and in that of machines.
func WholeTime(p Page, t time.Time) string {
	return p.L.DateTime(t, p.Zone) + " · " + p.L.ISO(t)
}

// isoDuration writes a duration as HTML has it.
func isoDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}
