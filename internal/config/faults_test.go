package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestLoad_Faults(t *testing.T) {
	for name, c := range map[string]struct {
		yaml, dotenv, env string
		want              []string // each in the error or its hints
	}{
		"unknown key":          {yaml: "repo: x\nrepositry: y\n", want: []string{`holdfast.yaml:1:1`, `holdfast.yaml:2:1: unknown key "repositry"`, `did you mean "repository"?`}},
		"nested unknown key":   {yaml: "retention:\n  day: 3\n", want: []string{`holdfast.yaml:2:3: unknown key "retention.day"`, `did you mean "retention.days"?`}},
		"unknown source key":   {yaml: "sources:\n  bot: {type: sqlite, pth: x}\n", want: []string{`unknown key "sources.bot.pth"`, `did you mean "sources.bot.path"?`, "sources.bot.path is missing"}},
		"later key":            {yaml: "telegram: {token: x}\n", want: []string{`this version does not honour "telegram"`}},
		"later nested key":     {yaml: "sources:\n  bot: {type: chroma, path: a, url: b}\n", want: []string{`does not honour "sources.bot.url"`}},
		"negative count":       {yaml: "retention: {daily: -3}\n", want: []string{`retention.daily: "-3" is not a whole number from 0`}},
		"bad trigger days":     {env: "HOLDFAST_RETENTION_AUTO_DAYS=soon", want: []string{`retention.auto_days: "soon" is not a number of days`}},
		"bad percentage":       {yaml: "retention: {shrink_hold: 150}\n", want: []string{`retention.shrink_hold: "150" is not a percentage from 0 to 100`}},
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
		"password in a URL":    {env: "HOLDFAST_RUN_READY=http://bot:secret@127.0.0.1/", want: []string{"the URL holds a name or a password"}},
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
