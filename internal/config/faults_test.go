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
		"token that is none":   {env: "HOLDFAST_TELEGRAM_TOKEN=123:secret", want: []string{"it is no token of a bot"}},
		"admin by name":        {yaml: "telegram: {admins: ['@somebody']}\n", want: []string{`"@somebody" is no id of a user`}},
		"proxy of no kind":     {yaml: "telegram: {proxy: 'ftp://user:secret@host'}\n", want: []string{"it is no URL that begins with http://"}},
		"chat as repository":   {yaml: "repository: telegram://4711\n", want: []string{"a chat can hold copies (replicas), but cannot be the repository"}},
		"chat without token":   {yaml: "replicas: ['telegram://4711']\n", want: []string{"the replica telegram://4711 needs the token of a bot"}},
		"token in a replica":   {yaml: "replicas: ['telegram://123456:secretsecret@telegram?chats=5']\n", want: []string{"the replica telegram names no chat", "HOLDFAST_TELEGRAM_TOKEN"}},
		"password of the API":  {yaml: "telegram: {api: 'https://me:secret@host'}\n", want: []string{"the URL holds a name or a password"}},
		"language of no panel": {yaml: "telegram: {language: de}\n", want: []string{"telegram.language"}},
		"updates by pigeon":    {yaml: "telegram: {updates: pigeon}\n", want: []string{"telegram.updates"}},
		"path and url":         {yaml: "sources:\n  bot: {type: chroma, path: a, url: http://h:1}\n", want: []string{"sources.bot has a path and a url"}},
		"url of a database":    {yaml: "sources:\n  bot: {type: sqlite, url: http://h:1}\n", want: []string{"only a Chroma source can be a server"}},
		"no url":               {yaml: "sources:\n  bot: {type: chroma, databases: [a]}\n", want: []string{"sources.bot.url is missing"}},
		"another scheme":       {yaml: "sources:\n  bot: {type: chroma, url: 's3://u:geheim@b'}\n", want: []string{"no address of a server"}},
		"header of a request":  {yaml: "sources:\n  bot: {type: chroma, url: http://h:1, headers: {host: x}}\n", want: []string{"the header host is made with each request"}},
		"variable of a header": {yaml: "sources:\n  bot: {type: chroma, url: http://h:1, headers: {X-Chroma-Token: '${NO_SUCH_TOKEN}'}}\n", want: []string{"${NO_SUCH_TOKEN} is not set"}},
		"rate that is none":    {yaml: "sources:\n  bot: {type: chroma, url: http://h:1, rate: -1}\n", want: []string{`sources.bot.rate: "-1" is none`}},
		"no patience at all":   {yaml: "sources:\n  bot: {type: chroma, url: http://h:1, patience: 0s}\n", want: []string{`sources.bot.patience: "0s" is no length of time`}},
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
