package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

func TestLoad_DefaultsAreTheManuals(t *testing.T) {
	at(t, nil)
	c := load(t, Flags{})
	if c.RetentionDays != 7 || !c.AutoBackup || !c.Compression || !c.Emergency.Enabled || !c.IncludeMemory ||
		c.MaxBackupSizeMB != 1000 || c.MaxBackupSizeSet || c.Emergency.Prefix != "emergency_restore" {
		t.Errorf("defaults are %+v", c)
	}
}

func TestLoad_ManualNames(t *testing.T) {
	at(t, nil)
	c := load(t, Flags{},
		"BACKUP_RETENTION_DAYS=30", "AUTO_BACKUP_ENABLED=false", "BACKUP_COMPRESSION=False", "EMERGENCY_BACKUP_ENABLED=0",
		"DEFAULT_BACKUP_INCLUDE_MEMORY=False", "MAX_BACKUP_SIZE_MB=5", "EMERGENCY_BACKUP_PREFIX=before")
	if c.RetentionDays != 30 || c.AutoBackup || c.Compression || c.Emergency.Enabled || c.IncludeMemory ||
		c.MaxBackupSizeMB != 5 || !c.MaxBackupSizeSet || c.Emergency.Prefix != "before" {
		t.Errorf("settings are %+v", c)
	}
	if c := load(t, Flags{}, "BACKUP_CLEANUP_AGE_DAYS=12"); c.RetentionDays != 12 {
		t.Errorf("BACKUP_CLEANUP_AGE_DAYS=12 gives %d days", c.RetentionDays)
	}
}

func TestLoad_TwoRetentionNamesTakeTheLongerAndWarn(t *testing.T) {
	at(t, nil)
	for _, c := range []struct {
		retention, cleanup string
		want, warnings     int
	}{{"7", "30", 30, 1}, {"30", "7", 30, 1}, {"0", "7", 0, 1}, {"7", "0", 0, 1}, {"9", "9", 9, 0}} {
		got := load(t, Flags{}, "BACKUP_RETENTION_DAYS="+c.retention, "BACKUP_CLEANUP_AGE_DAYS="+c.cleanup)
		if got.RetentionDays != c.want || len(got.Warnings) != c.warnings {
			t.Errorf("%s and %s: %d days, warnings %v", c.retention, c.cleanup, got.RetentionDays, got.Warnings)
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

func TestLoad_Faults(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, dotenv, env string
		want              []string // each in the error or its hints
	}{
		"unknown key":          {yaml: "repo: x\nrepositry: y\n", want: []string{`holdfast.yaml:1:1`, `holdfast.yaml:2:1: unknown key "repositry"`, `did you mean "repository"?`}},
		"nested unknown key":   {yaml: "retention:\n  day: 3\n", want: []string{`holdfast.yaml:2:3: unknown key "retention.day"`, `did you mean "retention.days"?`}},
		"unknown source key":   {yaml: "sources:\n  bot: {type: sqlite, pth: x}\n", want: []string{`unknown key "sources.bot.pth"`, `did you mean "sources.bot.path"?`, "sources.bot.path is missing"}},
		"later key":            {yaml: "schedule: {every: 6h}\n", want: []string{`this version does not honour "schedule"`}},
		"later nested key":     {yaml: "sources:\n  bot: {type: sqlite, path: a, mirror: b}\n", want: []string{`does not honour "sources.bot.mirror"`}},
		"later retention":      {yaml: "retention: {daily: 3}\n", want: []string{`does not honour "retention.daily"`}},
		"unknown type":         {yaml: "sources:\n  bot: {type: sqlit, path: a}\n", want: []string{`"sqlit" is not known`, "did you mean sqlite?"}},
		"hostile name":         {yaml: "sources:\n  ../x: {type: sqlite, path: a}\n", want: []string{"holdfast.yaml:2:3", "cannot start with a dot"}},
		"duplicate key":        {yaml: "state: a\nstate: b\n", want: []string{"holdfast.yaml:2:1", "already defined"}},
		"not yaml":             {yaml: "a: [", want: []string{"holdfast.yaml:1:", "not valid YAML"}},
		"not a map":            {yaml: "- a\n", want: []string{"must be a map"}},
		"no value":             {yaml: "repository:\n", want: []string{`"repository" has no value`}},
		"alias":                {yaml: "state: &a x\nrepository: *a\n", want: []string{"anchors"}},
		"list for a value":     {yaml: "state: [a]\n", want: []string{`"state" takes a single value`}},
		"bad number":           {yaml: "retention: {days: soon}\n", want: []string{`retention.days: "soon" is not a number of days`}},
		"negative days":        {env: "BACKUP_RETENTION_DAYS=-1", want: []string{"not a number of days"}},
		"bad bool":             {env: "BACKUP_COMPRESSION=maybe", want: []string{`"maybe" is neither true nor false`}},
		"bad prefix":           {env: "EMERGENCY_BACKUP_PREFIX=../x", want: []string{"cannot begin a backup's name"}},
		"unknown variable":     {env: "HOLDFAST_REPOSITRY=x", want: []string{"HOLDFAST_REPOSITRY: unknown variable", "did you mean HOLDFAST_REPOSITORY?"}},
		"later variable":       {env: "HOLDFAST_TELEGRAM_TOKEN=123:secret", want: []string{"HOLDFAST_TELEGRAM_TOKEN: this version does not honour it"}},
		"unknown in .env":      {dotenv: "HOLDFAST_STATTE=x\n", want: []string{".env HOLDFAST_STATTE: unknown variable"}},
		"broken .env":          {dotenv: "A=1\nthis is no setting\n", want: []string{".env:2"}},
		"missing value file":   {env: "HOLDFAST_STATE_FILE=nowhere", want: []string{"cannot read nowhere"}},
		"disagreeing names":    {env: "HOLDFAST_COMPRESSION=true BACKUP_COMPRESSION=false", want: []string{"keep one of them"}},
		"memory of a database": {yaml: "sources:\n  b: {type: sqlite, path: a, memory: {collection: m}}\n", want: []string{"only a Chroma source has a memory"}},
		"excluded tables":      {yaml: "sources:\n  b: {type: sqlite, path: a, exclude: t}\n", want: []string{"only a source of files"}},
		"all at once":          {yaml: "a: 1\nb: 2\n", env: "MAX_BACKUP_SIZE_MB=0", want: []string{`"a"`, `"b"`, "MAX_BACKUP_SIZE_MB"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{}
			if c.yaml != "" {
				files["holdfast.yaml"] = c.yaml
			}
			if c.dotenv != "" {
				files[".env"] = c.dotenv
			}
			at(t, files)
			_, err := Load(Flags{}, strings.Fields(c.env))
			if !errors.Is(err, holdfast.ErrUsage) {
				t.Fatalf("error %v does not match ErrUsage", err)
			}
			all := err.Error() + "\n" + hints(err)
			for _, want := range c.want {
				if !strings.Contains(all, want) {
					t.Errorf("%q is missing in:\n%s", want, all)
				}
			}
			if strings.Contains(all, "secret") {
				t.Errorf("a secret is told: %s", all)
			}
		})
	}
}

func hints(err error) string {
	var b strings.Builder
	if e, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range e.Unwrap() {
			b.WriteString(hints(part))
		}
	}
	return b.String() + holdfast.HintOf(err) + "\n"
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
