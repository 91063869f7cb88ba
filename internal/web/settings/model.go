// Package settings shows what is configured: in a few sentences, then each value with
// where it comes from; and it tests notifications and hooks.
//
// [Build] makes the [Model] of the page from what the core knows, [View] shows it, and
// [Mount] adds the page and its two actions to a site. Nothing is changed here: the file
// and the environment are the only places of settings.
package settings

import (
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// A Model is what the page shows.
type Model struct {
	// Have are the scopes of a reader who may not see settings; nil: he may.
	Have access.Scopes

	File     string // the configuration file; empty: there is none
	Warnings []holdfast.Problem
	Plain    Plain
	Filter   string // what was searched for
	Groups   []Group
	Changed  int // values that differ from their defaults, of all

	// Told is how many services are told of alarms, and Sent what became of the last
	// test, at SentAt; zero: none was made.
	Told   int
	Sent   []alarm.Delivery
	SentAt time.Time

	Hooks []Hook
}

// Plain is what the settings come to, for sentences.
type Plain struct {
	Every, OnChange time.Duration
	Cron            []string
	AutoBackup      bool
	Retention       config.Retention
	Copies          []string
	Encrypted       bool
	Drill, Verify   time.Duration
	Told            int
}

// A Hook is one thing that can be tested, and its last test.
type Hook struct {
	around.Hook
	Trial   *around.Trial // nil: none was made
	TriedAt time.Time
}

// A Group is the settings of one subject.
type Group struct {
	ID     string
	Values []Value
}

// A Value is one setting.
type Value struct {
	Key     string
	Label   string // in the reader's words
	Env     string
	Value   string // empty: not set
	Secret  bool
	Origin  config.Origin
	Changed bool   // it differs from its default; sources and replicas have none
	Default string // if it has one
}

// Build makes the model, with the settings that hold what was searched for. Words are
// the reader's, since he searches with them. It knows of the tests that last remembers.
func Build(core api.Core, l *locale.Locale, filter string, last *Tests) Model {
	m := Show(core.Config, core.Operations.Hooks(), l, filter)
	m.Sent, m.SentAt = last.delivered()
	for i := range m.Hooks {
		m.Hooks[i].Trial, m.Hooks[i].TriedAt = last.tried(m.Hooks[i].Hook.Hook)
	}
	return m
}

// Show makes the model of a configuration, without tests.
func Show(c *config.Config, hooks []around.Hook, l *locale.Locale, filter string) Model {
	m := Model{
		File: c.File, Warnings: c.Warnings, Filter: strings.TrimSpace(filter), Plain: plain(c), Told: len(c.Notify.URLs),
	}
	m.Groups, m.Changed = groups(c, l, m.Filter)
	for _, h := range hooks {
		m.Hooks = append(m.Hooks, Hook{Hook: h})
	}
	return m
}

func plain(c *config.Config) Plain {
	p := Plain{
		Every: c.Schedule.Every, OnChange: c.Schedule.OnChange, Cron: c.Schedule.Cron, AutoBackup: c.AutoBackup,
		Retention: c.Retention, Drill: c.Drill.Every, Verify: c.Verify.Every, Told: len(c.Notify.URLs),
	}
	e := c.Encryption
	p.Encrypted = len(e.To) > 0 || e.PassphraseFile+e.PassphraseCommand+e.Passphrase != ""
	for _, r := range c.Replicas {
		p.Copies = append(p.Copies, r.Name)
	}
	return p
}

// shownGroups are the groups in the order of the page, each with how the keys begin that
// it holds. The first that fits takes a key; the last takes the rest.
var shownGroups = []struct {
	id       string
	prefixes []string
}{
	{"sources", []string{"sources"}},
	{"schedule", []string{"schedule.", "auto_backup", "shutdown_timeout"}},
	{"retention", []string{"retention."}},
	{"encryption", []string{"encrypt_to", "identity_file", "passphrase"}},
	{"replicas", []string{"replicas", "replicate_"}},
	{"restore", []string{"emergency.", "hooks.stop", "hooks.start"}},
	{"proof", []string{"drill.", "verify."}},
	{"hooks", []string{"hooks.", "webhooks.", "ping."}},
	{"notify", []string{"notify."}},
	{"telegram", []string{"telegram."}},
	{"serve", []string{"serve.", "log."}},
	{"run", []string{"run."}},
	{"repository", []string{"repository", "state", "include_memory", "compression", "max_backup_size_mb", "deltas", "full_every", "check_budget"}},
	{"other", []string{""}},
}

// groupOf is where a key belongs.
func groupOf(key string) int {
	for i, g := range shownGroups {
		for _, prefix := range g.prefixes {
			if strings.HasPrefix(key, prefix) {
				return i
			}
		}
	}
	return len(shownGroups) - 1
}

// groups sorts the values into groups, and counts those that differ from their defaults.
func groups(c *config.Config, l *locale.Locale, filter string) (shown []Group, changed int) {
	keys := map[string]config.Key{}
	for _, k := range config.Keys() {
		keys[k.Name] = k
	}
	all := make([]Group, len(shownGroups))
	for _, v := range c.Values {
		k, known := keys[v.Key]
		value := Value{
			Key: v.Key, Label: label(l, v.Key), Value: redact.Text(v.Shown()), Secret: v.Secret, Origin: v.Origin,
			Changed: known && v.Origin.Layer != config.FromDefault && v.Value != k.Default, Default: k.Default,
		}
		if known {
			value.Env = k.Env()
		}
		if value.Changed {
			changed++
		}
		i := groupOf(v.Key)
		all[i].ID = shownGroups[i].id
		if value.holds(filter) {
			all[i].Values = append(all[i].Values, value)
		}
	}
	for _, g := range all {
		if len(g.Values) > 0 {
			shown = append(shown, g)
		}
	}
	return shown, changed
}

// holds tells whether a setting has to do with what is searched for.
func (v Value) holds(filter string) bool {
	for word := range strings.FieldsSeq(strings.ToLower(filter)) {
		if !strings.Contains(strings.ToLower(strings.Join([]string{v.Key, v.Env, v.Label, v.Value}, " ")), word) {
			return false
		}
	}
	return true
}

// label is what a key is in the reader's words. Sources and replicas have keys with
// their names in them.
func label(l *locale.Locale, key string) string {
	if id := "settings.key." + key; l.Has(id) {
		return l.T(id)
	}
	whole, rest, _ := strings.Cut(key, ".")
	name, field, _ := strings.Cut(rest, ".")
	switch {
	case whole == "sources" && field != "":
		return l.Word("settings.source", field)
	case whole == "replicas" && field == "":
		return l.T("settings.replica", "name", name)
	case field != "" && l.Has("settings.key."+field):
		return l.T("settings.key." + field)
	}
	return key
}
