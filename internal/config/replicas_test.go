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

func TestLoad_ReplicasThatCannotBe(t *testing.T) {
	for name, c := range map[string]struct{ yaml, want string }{
		"no list":               {"replicas: /mnt/nas\n", "replicas must be a list"},
		"no place":              {"replicas: [{name: nas}]\n", "a replica has no replicas.url"},
		"unknown key":           {"replicas: [{url: /a, retentoin: {days: 1}}]\n", `unknown key "replicas.retentoin"`},
		"encryption of its own": {"replicas: [{url: /a, encrypt_to: [age1x]}]\n", `this version does not honour "replicas.encrypt_to"`},
		"unknown rule":          {"replicas: [{url: /a, retention: {dayly: 1}}]\n", `unknown key "replicas.retention.dayly"`},
		"bad rule":              {"replicas: [{url: /a, retention: {daily: -1}}]\n", "replicas.retention.daily"},
		"two of a name":         {"replicas: [/a/backups, /b/backups]\n", `two replicas are called "backups"`},
		"the repository":        {"repository: /a\nreplicas: [/a/]\n", "is the repository itself"},
		"a name that is taken":  {"replicas: [{url: /a, name: all}]\n", `"all" cannot be the name`},
	} {
		t.Run(name, func(t *testing.T) {
			at(t, map[string]string{FileName: c.yaml})
			if _, err := Load(Flags{}, nil); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
