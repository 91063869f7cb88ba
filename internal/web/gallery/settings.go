package gallery

import (
	"time"

	"github.com/a-h/templ"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/alarm"
	"github.com/holdfast-backup/holdfast/internal/around"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/web/settings"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// settingsStates are the page of settings.
var settingsStates = []State{
	{Page: "settings", Name: "default", Render: settingsOf("", nil)},
	{Page: "settings", Name: "configured", Render: settingsOf("", configure)},
	{Page: "settings", Name: "searched", Render: settingsOf("RETENTION days", configure)},
	{Page: "settings", Name: "nothing-found", Render: settingsOf("quantum", nil)},
	{Page: "settings", Name: "warnings", Render: settingsOf("schedule", func(c *config.Config, _ *settings.Model) {
		configure(c, nil)
		c.Warnings = []holdfast.Problem{{
			Object: "retention.days", Severity: holdfast.Warning,
			Message: "BACKUP_RETENTION_DAYS is set to 7 and HOLDFAST_RETENTION_DAYS to 30: the latter holds", Hint: "keep one of the two",
		}}
	})},
	{Page: "settings", Name: "read-only", Reader: access.Caller{Name: "viewer", Scopes: access.Scopes{access.ScopeRead}}, Render: func(p ui.Page) templ.Component {
		return settings.View(p, settings.Model{Have: p.Caller.Scopes})
	}},
	{Page: "settings", Name: "notification-failed", Render: settingsOf("notify", func(c *config.Config, m *settings.Model) {
		configure(c, nil)
		if m == nil {
			return
		}
		m.SentAt = At(2 * time.Minute)
		m.Sent = []alarm.Delivery{
			{Service: "notify.urls[0] (ntfy)", OK: true},
			{Service: "notify.urls[1] (smtp)", Error: "notify.urls[1] (smtp): dial tcp 203.0.113.7:587: connect: connection refused"},
		}
	})},
	{Page: "settings", Name: "hook-failed", Render: settingsOf("hooks", func(c *config.Config, m *settings.Model) {
		configure(c, nil)
		if m != nil {
			tried(m)
		}
	})},
}

// settingsOf draws the page of a configuration, which change makes another one before the
// model is made of it (that is nil then), and the model afterwards.
func settingsOf(filter string, change func(*config.Config, *settings.Model)) func(ui.Page) templ.Component {
	return func(p ui.Page) templ.Component {
		c := defaults()
		if change != nil {
			change(c, nil)
		}
		m := settings.Show(c, around.Hooks(c), p.L, filter)
		if change != nil {
			change(c, &m)
		}
		return settings.View(p, m)
	}
}

// defaults is a configuration that nobody has changed.
func defaults() *config.Config {
	c := &config.Config{
		AutoBackup: true, Retention: config.Retention{Days: 7},
		Schedule: config.Schedule{Every: 6 * time.Hour, OnChange: time.Minute},
		Drill:    config.Drill{Every: 7 * 24 * time.Hour}, Verify: config.Verify{Every: 30 * 24 * time.Hour},
	}
	for _, k := range config.Keys() {
		c.Values = append(c.Values, config.Value{Key: k.Name, Value: k.Default, Origin: config.Origin{Layer: config.FromDefault}})
	}
	return c
}

// configure makes it one of somebody who cares.
func configure(c *config.Config, m *settings.Model) {
	if m != nil {
		return
	}
	c.File = "/etc/holdfast/holdfast.yaml"
	c.Schedule.Cron = []string{"0 3 * * *"}
	c.Retention = config.Retention{Days: 30, KeepLast: 3, Weekly: 8, Monthly: 12}
	c.Replicas = []config.Replica{{Name: "offsite"}, {Name: "สำนักงานใหญ่"}}
	c.Encryption.To = []string{"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"}
	c.Notify.URLs = []string{"ntfy://ntfy.example/backups", "smtp://mail.example"}
	c.Hooks = config.Hooks{
		BeforeBackup: "systemctl --user stop importer", AfterBackup: "systemctl --user start importer",
		Stop: "systemctl --user stop rag-assistant", Start: "systemctl --user start rag-assistant",
	}
	c.Webhooks.URLs = []string{"https://example.org/holdfast"}
	c.Ping.URL = "https://hc.example/ping/5f0c"
	file := func(line string) config.Origin {
		return config.Origin{Layer: config.FromFile, Where: "/etc/holdfast/holdfast.yaml:" + line}
	}
	set := map[string]config.Value{
		"repository":           {Value: "s3://bucket/rag?region=ap-southeast-1", Origin: file("1")},
		"retention.days":       {Value: "30", Origin: config.Origin{Layer: config.FromEnvironment, Where: "BACKUP_RETENTION_DAYS"}},
		"retention.keep_last":  {Value: "3", Origin: file("14")},
		"schedule.cron":        {Value: "0 3 * * *", Origin: file("11")},
		"encrypt_to":           {Value: c.Encryption.To[0], Origin: file("20")},
		"notify.urls":          {Value: "ntfy://…, smtp://…", Secret: true, Origin: config.Origin{Layer: config.FromDotEnv, Where: "HOLDFAST_NOTIFY_URLS"}},
		"webhooks.secret":      {Value: "x", Secret: true, Origin: config.Origin{Layer: config.FromEnvironment, Where: "HOLDFAST_WEBHOOKS_SECRET_FILE"}},
		"hooks.before_backup":  {Value: c.Hooks.BeforeBackup, Origin: file("25")},
		"drill.chroma_command": {Value: `chroma run --path "$CHROMA_PATH" --host 127.0.0.1 --port "$CHROMA_PORT"`, Origin: file("31")},
	}
	for i, v := range c.Values {
		if other, ok := set[v.Key]; ok {
			other.Key = v.Key
			c.Values[i] = other
		}
	}
	c.Values = append(c.Values,
		config.Value{Key: "sources.chromadb.type", Value: "chroma", Origin: file("4")},
		config.Value{Key: "sources.chromadb.path", Value: "./data/chromadb", Origin: file("4")},
		config.Value{Key: "sources.chromadb.memory.collection", Value: "enhanced_rag_memory", Origin: file("4")},
		config.Value{Key: "sources.chromadb.rag_mode", Value: "enhanced", Origin: file("4")},
		config.Value{Key: "replicas.offsite", Value: "s3://other/rag", Origin: file("17")},
		config.Value{Key: "replicas.สำนักงานใหญ่", Value: "/mnt/office/backups", Origin: file("18")},
	)
}

// tried puts the outcomes of tests beside the hooks.
func tried(m *settings.Model) {
	zero, three := 0, 3
	trials := map[string]around.Trial{
		"before_backup": {Runs: []around.Run{{
			Name: "hooks.before_backup", ExitCode: &three, DurationMS: 1240,
			Output: "Failed to stop importer.service: Unit importer.service not loaded.", Error: "exit status 3",
		}}},
		"stop_start": {OK: true, Runs: []around.Run{
			{Name: "hooks.stop", OK: true, ExitCode: &zero, DurationMS: 310},
			{Name: "hooks.start", OK: true, ExitCode: &zero, DurationMS: 2650, Output: "rag-assistant is ready"},
		}},
		"webhooks.urls[0]": {Runs: []around.Run{{
			Name: "webhooks.urls[0]", DurationMS: 10000,
			Error: "https://example.org/… could not be told (test): no answer within 10s",
		}}},
	}
	for i, h := range m.Hooks {
		if found, ok := trials[h.Hook.Hook]; ok {
			found.Hook, found.Kind = h.Hook.Hook, h.Kind
			m.Hooks[i].Trial, m.Hooks[i].TriedAt = &found, At(time.Minute)
		}
	}
}
