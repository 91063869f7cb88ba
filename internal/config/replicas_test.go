package config

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestLoad_Replicas(t *testing.T) {
	at(t, map[string]string{FileName: `replicas:
  - /mnt/nas/backups
  - {url: "s3://vault/bot?region=eu", name: offsite, retention: {keep_last: 30, days: 0}}
`})
	c := load(t, Flags{})
	if len(c.Replicas) != 2 || !c.ReplicateAfterBackup {
		t.Fatalf("replicas are %+v", c.Replicas)
	}
	nas, offsite := c.Replicas[0], c.Replicas[1]
	if nas.Name != "backups" || nas.URL != "/mnt/nas/backups" || nas.Retention != nil {
		t.Errorf("the directory is %+v", nas)
	}
	if offsite.Name != "offsite" || offsite.URL != "s3://vault/bot?region=eu" || offsite.Retention.Policy().String() != "the last 30" {
		t.Errorf("the bucket is %+v", offsite)
	}
	if v := value(t, c, "replicas.offsite"); v.Value != offsite.URL || v.Origin.String() != "holdfast.yaml:3" {
		t.Errorf("shown as %+v", v)
	}
	if c := load(t, Flags{}, `HOLDFAST_REPLICAS=[s3://other, {url: /b, name: b}]`); len(c.Replicas) != 2 || c.Replicas[0].Name != "other" || c.Replicas[1].Name != "b" {
		t.Errorf("the environment gives %+v", c.Replicas)
	}
	if c := load(t, Flags{Replicas: []Replica{AdHocReplica("usb=/media/usb")}}); len(c.Replicas) != 1 || c.Replicas[0].Name != "usb" || c.Replicas[0].URL != "/media/usb" {
		t.Errorf("the flag gives %+v", c.Replicas)
	}
}

func TestLoad_ReplicasOfAFileElsewhereAreMeantFromThere(t *testing.T) {
	at(t, map[string]string{"etc/holdfast.yaml": "replicas: [copies, s3://vault/x]\n"})
	c := load(t, Flags{File: "etc/holdfast.yaml"})
	if c.Replicas[0].URL != filepath.Join("etc", "copies") || c.Replicas[1].URL != "s3://vault/x" {
		t.Errorf("replicas are %+v", c.Replicas)
	}
}

func TestLoad_EncryptionOfReplicas(t *testing.T) {
	at(t, map[string]string{"etc/holdfast.yaml": `encrypt_to: age1primary
replicas:
  - /mnt/nas/backups
  - {url: s3://one, encrypt_to: [age1a, age1b], identity_file: keys.txt}
  - {url: s3://two, passphrase_file: ~/pass.txt}
  - {url: s3://three, passphrase_command: pass show holdfast, name: third}
  - {url: s3://four, decrypt: yes}
  - {url: s3://five, encrypt_to: "age1a, age1b"}
`})
	t.Setenv("HOME", "/home/bot")
	c := load(t, Flags{File: "etc/holdfast.yaml"})
	if len(c.Replicas) != 6 {
		t.Fatalf("replicas are %+v", c.Replicas)
	}
	for i, want := range []struct {
		to, identity, file, command string
		form, keys                  bool
	}{
		{},
		{to: "age1a age1b", identity: filepath.Join("etc", "keys.txt"), form: true, keys: true},
		{file: "/home/bot/pass.txt", form: true, keys: true},
		{command: "pass show holdfast", form: true, keys: true},
		{form: true},
		{to: "age1a age1b", form: true, keys: true},
	} {
		r := c.Replicas[i]
		e := r.Encryption
		if strings.Join(e.To, " ") != want.to || e.IdentityFile != want.identity || e.PassphraseFile != want.file || e.PassphraseCommand != want.command || r.OwnForm() != want.form || r.OwnKeys() != want.keys {
			t.Errorf("%s is %+v, form %t, keys %t", r.URL, e, r.OwnForm(), r.OwnKeys())
		}
	}
	if v := value(t, c, "replicas.one.encrypt_to"); v.Value != "age1a, age1b" || v.Origin.String() != "etc/holdfast.yaml:4" {
		t.Errorf("shown as %+v", v)
	}
	if v := value(t, c, "replicas.four.decrypt"); v.Value != "true" {
		t.Errorf("shown as %+v", v)
	}
}

func TestLoad_ReplicasThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"no list":                {"replicas: /mnt/nas\n", "replicas must be a list"},
		"no place":               {"replicas: [{name: nas}]\n", "a replica has no replicas.url"},
		"unknown key":            {"replicas: [{url: /a, retentoin: {days: 1}}]\n", `unknown key "replicas.retentoin"`},
		"in the open and not":    {"replicas: [{url: /a, encrypt_to: [age1x], decrypt: true}]\n", "the copies in the replica a are to lie in the open (decrypt) and to be encrypted"},
		"two passphrases":        {"replicas: [{url: /a, passphrase_file: x, passphrase_command: y}]\n", "the passphrase of the replica a is given by both"},
		"neither true nor false": {"replicas: [{url: /a, decrypt: perhaps}]\n", `replicas.decrypt: "perhaps" is neither true nor false`},
		"a list of files":        {"replicas: [{url: /a, identity_file: [x, y]}]\n", `"replicas.identity_file" takes a single value`},
		"a secret":               {"replicas: [{url: /a, passphrase: secret}]\n", `unknown key "replicas.passphrase"`},
		"unknown rule":           {"replicas: [{url: /a, retention: {dayly: 1}}]\n", `unknown key "replicas.retention.dayly"`},
		"bad rule":               {"replicas: [{url: /a, retention: {daily: -1}}]\n", "replicas.retention.daily"},
		"two of a name":          {"replicas: [/a/backups, /b/backups]\n", `two replicas are called "backups"`},
		"the repository":         {"repository: /a\nreplicas: [/a/]\n", "is the repository itself"},
		"a name that is taken":   {"replicas: [{url: /a, name: all}]\n", `"all" cannot be the name`},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, map[string]string{FileName: c.yaml})
			if _, err := Load(Flags{}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
