package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// at makes an empty working directory with the given files.
func at(t *testing.T, files map[string]string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, body := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func load(t *testing.T, f Flags, environ ...string) *Config {
	t.Helper()
	c, err := Load(f, environ)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c
}

func value(t *testing.T, c *Config, key string) Value {
	t.Helper()
	for _, v := range c.Values {
		if v.Key == key {
			return v
		}
	}
	t.Fatalf("no value %q", key)
	return Value{}
}

func TestLoad_EveryLayerYieldsToTheOneAbove(t *testing.T) {
	at(t, map[string]string{
		"holdfast.yaml": "repository: from-file\n",
		".env":          "HOLDFAST_REPOSITORY=from-dotenv\n",
	})
	env := "HOLDFAST_REPOSITORY=from-env"
	c := load(t, Flags{Repository: "from-flag"}, env)
	for _, step := range []struct {
		want   string
		origin string
		weaken func()
	}{
		{"from-flag", "flag --repo", func() { c = load(t, Flags{}, env) }},
		{"from-env", "environment HOLDFAST_REPOSITORY", func() { c = load(t, Flags{}) }},
		{"from-dotenv", ".env HOLDFAST_REPOSITORY", func() { os.Remove(".env"); c = load(t, Flags{}) }},
		{"from-file", "holdfast.yaml:1", func() { os.Remove("holdfast.yaml"); c = load(t, Flags{}) }},
		{"./data/chromadb_backup", "default", func() {}},
	} {
		if got := value(t, c, "repository"); c.Repository != step.want || got.Origin.String() != step.origin {
			t.Fatalf("repository = %q from %q, want %q from %q", c.Repository, got.Origin, step.want, step.origin)
		}
		step.weaken()
	}
}

// Some editors begin every file with a mark that nobody sees.
func TestLoad_AByteOrderMarkMeansNothing(t *testing.T) {
	at(t, map[string]string{"holdfast.yaml": "\ufeffrepository: here\n", ".env": "\ufeffHOLDFAST_STATE=there\n"})
	c := load(t, Flags{})
	if c.Repository != "here" || value(t, c, "state").Shown() != "there" {
		t.Errorf("repository %q, state %q", c.Repository, value(t, c, "state").Shown())
	}
}

func TestLoad_DefaultsAreTheManuals(t *testing.T) {
	at(t, nil)
	c := load(t, Flags{})
	if c.Retention.Days != 7 || !c.AutoBackup || !c.Compression || !c.Emergency.Enabled || !c.IncludeMemory ||
		c.MaxBackupSizeMB != 1000 || c.MaxBackupSizeSet || c.Emergency.Prefix != "emergency_restore" {
		t.Errorf("defaults are %+v", c)
	}
}

func TestLoad_ManualNames(t *testing.T) {
	at(t, nil)
	c := load(t, Flags{},
		"BACKUP_RETENTION_DAYS=30", "AUTO_BACKUP_ENABLED=false", "BACKUP_COMPRESSION=False", "EMERGENCY_BACKUP_ENABLED=0",
		"DEFAULT_BACKUP_INCLUDE_MEMORY=False", "MAX_BACKUP_SIZE_MB=5", "EMERGENCY_BACKUP_PREFIX=before")
	if c.Retention.Days != 30 || c.AutoBackup || c.Compression || c.Emergency.Enabled || c.IncludeMemory ||
		c.MaxBackupSizeMB != 5 || !c.MaxBackupSizeSet || c.Emergency.Prefix != "before" {
		t.Errorf("settings are %+v", c)
	}
	if c := load(t, Flags{}, "BACKUP_CLEANUP_AGE_DAYS=12"); c.Retention.Days != 12 {
		t.Errorf("BACKUP_CLEANUP_AGE_DAYS=12 gives %d days", c.Retention.Days)
	}
}

func TestLoad_TwoRetentionNamesTakeTheLongerAndWarn(t *testing.T) {
	at(t, nil)
	for _, c := range []struct {
		retention, cleanup string
		want, warnings     int
	}{{"7", "30", 30, 1}, {"30", "7", 30, 1}, {"0", "7", 0, 1}, {"7", "0", 0, 1}, {"9", "9", 9, 0}} {
		got := load(t, Flags{}, "BACKUP_RETENTION_DAYS="+c.retention, "BACKUP_CLEANUP_AGE_DAYS="+c.cleanup)
		if got.Retention.Days != c.want || len(got.Warnings) != c.warnings {
			t.Errorf("%s and %s: %d days, warnings %v", c.retention, c.cleanup, got.Retention.Days, got.Warnings)
		}
	}
}

func TestLoad_ValueFromAFileIsSecret(t *testing.T) {
	at(t, map[string]string{"stop": "docker stop --token s3cret\n"})
	c := load(t, Flags{}, "HOLDFAST_HOOKS_STOP_FILE=stop")
	if c.Hooks.Stop != "docker stop --token s3cret" {
		t.Errorf("stop hook is %q", c.Hooks.Stop)
	}
	if got := value(t, c, "hooks.stop"); got.Shown() != "***" {
		t.Errorf("shown as %q", got.Shown())
	}
}

func TestLoad_Sources(t *testing.T) {
	at(t, map[string]string{"etc/h.yaml": `
repository: store
sources:
  chromadb: {type: chroma, path: ./chroma, memory: {collection: enhanced_rag_memory}}
  ربات: {type: sqlite, path: /tmp/bot_database.db}
  docs:
    type: files
    path: docs
    exclude: ["*.tmp", cache/]
`})
	c := load(t, Flags{File: "etc/h.yaml"})
	if len(c.Sources) != 3 {
		t.Fatalf("sources: %+v", c.Sources)
	}
	chroma := c.Sources[0]
	if chroma.Path != filepath.Join("etc", "chroma") || chroma.RAGMode != RAGEnhanced || len(chroma.Memory) != 1 {
		t.Errorf("chroma source is %+v", chroma)
	}
	if c.Sources[1].Name != "ربات" || c.Sources[1].Path != "/tmp/bot_database.db" {
		t.Errorf("sqlite source is %+v", c.Sources[1])
	}
	if got := c.Sources[2].Exclude; len(got) != 2 || got[1] != "cache/" {
		t.Errorf("excluded are %q", got)
	}
	if c.Repository != filepath.Join("etc", "store") {
		t.Errorf("repository is %q, want it beside the file", c.Repository)
	}
	replaced := load(t, Flags{File: "etc/h.yaml", Sources: []Source{{Name: "x", Kind: holdfast.KindFiles, Path: "x"}}})
	if len(replaced.Sources) != 1 || replaced.Sources[0].Name != "x" {
		t.Errorf("a source flag leaves %+v", replaced.Sources)
	}
	env := load(t, Flags{}, "HOLDFAST_SOURCES={bot: {type: sqlite, path: b.db}}")
	if len(env.Sources) != 1 || env.Sources[0].Name != "bot" {
		t.Errorf("HOLDFAST_SOURCES gives %+v", env.Sources)
	}
}

func TestLoad_FindsChromaWhereTheManualKeepsIt(t *testing.T) {
	at(t, nil)
	if c := load(t, Flags{}); c.Detected || len(c.Sources) != 0 {
		t.Errorf("found %+v in an empty directory", c.Sources)
	}
	if err := os.MkdirAll(DefaultChroma, 0o700); err != nil {
		t.Fatal(err)
	}
	if c := load(t, Flags{}); !c.Detected || len(c.Sources) != 1 || c.Sources[0].Name != "chromadb" {
		t.Errorf("found %+v", c.Sources)
	}
}

func TestLoad_NamedFileMustExist(t *testing.T) {
	at(t, nil)
	if _, err := Load(Flags{File: "nowhere.yaml"}, nil); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("error %v", err)
	}
	if _, err := Load(Flags{}, []string{"HOLDFAST_CONFIG=nowhere.yaml"}); !errors.Is(err, holdfast.ErrUsage) {
		t.Errorf("error %v", err)
	}
}

func TestAdHoc(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct {
		kind       holdfast.Kind
		value      string
		name, path string
	}{
		{holdfast.KindSQLite, "/tmp/bot_database.db", "bot_database", "/tmp/bot_database.db"},
		{holdfast.KindSQLite, "bot=/tmp/bot_database.db", "bot", "/tmp/bot_database.db"},
		{holdfast.KindSQLite, "./a=b.db", "a_b", "./a=b.db"},
		{holdfast.KindSQLite, "my data.db", "my_data", "my data.db"},
		{holdfast.KindSQLite, "ข้อมูล.db", "ข้อมูล", "ข้อมูล.db"},
		{holdfast.KindSQLite, "داده‌ها.db", "داده‌ها", "داده‌ها.db"},
		{holdfast.KindChroma, "data/x", "chromadb", "data/x"},
		{holdfast.KindFiles, "data/docs/", "docs", "data/docs/"},
		{holdfast.KindFiles, ".hidden", "hidden", ".hidden"},
	} {
		got, err := AdHoc(c.kind, string(c.kind), c.value)
		if err != nil || got.Name != c.name || got.Path != c.path {
			t.Errorf("AdHoc(%q) = %q at %q, %v", c.value, got.Name, got.Path, err)
		}
	}
	for _, bad := range []string{"", "bot=", "ro t=x.db", "/", "latest=x"} {
		if got, err := AdHoc(holdfast.KindFiles, "files", bad); !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("AdHoc(%q) = %+v, %v", bad, got, err)
		}
	}
}

func TestLoad_ClashingSourceNames(t *testing.T) {
	at(t, nil)
	_, err := Load(Flags{Sources: []Source{
		{Name: "bot", Kind: holdfast.KindSQLite, Path: "a/bot.db"},
		{Name: "Bot", Kind: holdfast.KindSQLite, Path: "b/Bot.db"},
	}}, nil)
	if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(hints(err), "NAME=PATH") {
		t.Errorf("error %v, hints %s", err, hints(err))
	}
}

func TestNearest(t *testing.T) {
	words := []string{"backup", "restore", "rollback", "list"}
	for in, want := range map[string]string{"bakcup": "backup", "lst": "list", "restroe": "restore", "zzzzzz": ""} {
		if got := Nearest(in, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzParse holds the reader of the file to its promise: any text is a set of
// settings or a set of faults, never a panic.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "repository: x", "sources: {a: {type: sqlite, path: b}}", "retention:\n  days: 3", "a: [", "- x", "? x\n: y", "<<: {a: b}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLayer()
		l.parse(data, "fuzz", FromFile, "")
		for _, err := range l.errs {
			if !errors.Is(err, holdfast.ErrUsage) {
				t.Errorf("fault %v", err)
			}
		}
	})
}

func TestLoad_Retention(t *testing.T) {
	day := 24 * time.Hour
	for name, c := range map[string]struct {
		yaml, env string
		want      string // the rules in words
		hold      int
	}{
		"as it is":              {want: "7 days, change backups 1 day", hold: 50},
		"nothing goes":          {env: "BACKUP_RETENTION_DAYS=0", want: "all backups are kept", hold: 50},
		"all rules in the file": {yaml: "retention:\n  days: 14\n  keep_last: 3\n  hourly: 24\n  daily: 7\n  weekly: 4\n  monthly: 12\n  yearly: 2\n  auto_days: 2\n  change_days: 4\n  emergency_days: 3\n  shrink_hold: 80%\n", want: "14 days, auto backups 2 days, change backups 4 days, emergency backups 3 days, the last 3, 24 hourly, 7 daily, 4 weekly, 12 monthly, 2 yearly", hold: 80},
		"all by the environment": {
			env:  "HOLDFAST_RETENTION_DAYS=0 HOLDFAST_RETENTION_KEEP_LAST=5 HOLDFAST_RETENTION_HOURLY=1 HOLDFAST_RETENTION_DAILY=2 HOLDFAST_RETENTION_WEEKLY=3 HOLDFAST_RETENTION_MONTHLY=4 HOLDFAST_RETENTION_YEARLY=5 HOLDFAST_RETENTION_AUTO_DAYS=0 HOLDFAST_RETENTION_EMERGENCY_DAYS=1 HOLDFAST_RETENTION_SHRINK_HOLD=off",
			want: "auto backups without a limit, emergency backups 1 day, the last 5, 1 hourly, 2 daily, 3 weekly, 4 monthly, 5 yearly",
		},
		"only automatic ones go": {yaml: "retention: {days: 0, auto_days: 1, shrink_hold: 0}\n", want: "auto backups 1 day"},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if c.yaml != "" {
				files[FileName] = c.yaml
			}
			at(t, files)
			got := load(t, Flags{}, strings.Fields(c.env)...).Retention
			if got.Policy().String() != c.want || got.ShrinkHold != c.hold {
				t.Errorf("%q, hold at %d %%", got.Policy(), got.ShrinkHold)
			}
		})
	}
	if limit := (Retention{AutoDays: new(3)}).Policy().TriggerAge[holdfast.TriggerAuto]; limit != 3*day {
		t.Errorf("auto backups have a limit of %v", limit)
	}
}

func TestLoad_FlagsSetFurtherKeys(t *testing.T) {
	at(t, map[string]string{"holdfast.yaml": "schedule: {every: 1h}\n"})
	c := load(t, Flags{Settings: map[string]FlagValue{"schedule.every": {Flag: "--every", Value: "5m"}}}, "HOLDFAST_SCHEDULE_EVERY=2h")
	if c.Schedule.Every != 5*time.Minute || value(t, c, "schedule.every").Origin.String() != "flag --every" {
		t.Errorf("got %s from %s", c.Schedule.Every, value(t, c, "schedule.every").Origin)
	}
	_, err := Load(Flags{Settings: map[string]FlagValue{"schedule.every": {Flag: "--every", Value: "soon"}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "flag --every") {
		t.Errorf("a value that is no duration gives %v", err)
	}
}

func TestLoad_DatabasePathIsTheSourceOnlyIfNoneIsConfigured(t *testing.T) {
	for _, c := range []struct {
		name  string
		file  string
		flags Flags
		want  string
	}{
		{"nothing else is there", "", Flags{}, "bot_database /data/bot_database.db"},
		{"the usual place is assumed otherwise", "", Flags{AssumeUsual: true}, "bot_database /data/bot_database.db"},
		{"none configured", "", Flags{DatabasePath: true}, "bot_database /data/bot_database.db"},
		{"in the file", "sources: {other: {type: sqlite, path: /other.db}}\n", Flags{DatabasePath: true}, "other /other.db"},
		{"by flag", "", Flags{DatabasePath: true, Sources: []Source{{Name: "x", Kind: "sqlite", Path: "/x.db"}}}, "x /x.db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at(t, map[string]string{"holdfast.yaml": c.file})
			got := ""
			for _, s := range load(t, c.flags, "DATABASE_PATH=/data/bot_database.db").Sources {
				got += s.Name + " " + s.Path
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("the usual place is there", func(t *testing.T) {
		at(t, nil)
		if err := os.MkdirAll(DefaultChroma, 0o700); err != nil {
			t.Fatal(err)
		}
		for asked, want := range map[bool]holdfast.Kind{false: holdfast.KindChroma, true: holdfast.KindSQLite} {
			if c := load(t, Flags{DatabasePath: asked}, "DATABASE_PATH=/data/bot.db"); len(c.Sources) != 1 || c.Sources[0].Kind != want {
				t.Errorf("before the usual place %v: %+v", asked, c.Sources)
			}
		}
	})
	t.Run("another kind of database", func(t *testing.T) {
		at(t, nil)
		if c := load(t, Flags{DatabasePath: true}, "DATABASE_PATH=postgres://db/bot"); len(c.Sources) != 0 {
			t.Errorf("%+v", c.Sources)
		}
	})
}

// Whoever loads twice with the same flags gets two configurations that share nothing.
func TestLoad_LeavesTheFlagsAlone(t *testing.T) {
	at(t, nil)
	flags := Flags{
		Sources:  []Source{{Name: "bot", Kind: holdfast.KindSQLite, Path: "~/bot.db"}},
		Replicas: []Replica{{URL: "~/copies"}},
	}
	c := load(t, flags)
	if c.Sources[0].Path == "~/bot.db" || c.Replicas[0].Name == "" {
		t.Fatalf("nothing was settled: %+v %+v", c.Sources[0], c.Replicas[0])
	}
	if flags.Sources[0].Path != "~/bot.db" || flags.Replicas[0].URL != "~/copies" || flags.Replicas[0].Name != "" {
		t.Errorf("the flags became %+v and %+v", flags.Sources[0], flags.Replicas[0])
	}
}
