package s3_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket/s3"
)

func TestParse(t *testing.T) {
	o, err := s3.Parse("s3://bucket/a/b/?endpoint=http://127.0.0.1:9000&region=eu-1&path_style=true&ca_file=/etc/ca.pem" +
		"&storage_class=STANDARD_IA&object_lock=governance:30d&profile=backup&lease=none&part_size=16MiB")
	if err != nil {
		t.Fatal(err)
	}
	want := s3.Options{
		Bucket: "bucket", Prefix: "a/b", Endpoint: "http://127.0.0.1:9000", Region: "eu-1", PathStyle: s3.PathYes,
		CAFile: "/etc/ca.pem", StorageClass: "STANDARD_IA", LockMode: s3.Governance, LockFor: 30 * 24 * time.Hour,
		Profile: "backup", NoLease: true, PartSize: 16 << 20,
	}
	if o.String() != want.String() || o.LockFor != want.LockFor || o.NoLease != want.NoLease || o.PartSize != want.PartSize {
		t.Errorf("got %+v, want %+v", o, want)
	}
	again, err := s3.Parse(o.String())
	if err != nil || again.String() != o.String() {
		t.Errorf("%s leads to %s (%v)", o.String(), again.String(), err)
	}
	for _, kept := range []string{"s3://bucket/x?lease=none", "s3://bucket/x?lease=1h", "s3://bucket/x?lease=90s"} {
		o, err := s3.Parse(kept)
		if again, againErr := s3.Parse(o.String()); err != nil || againErr != nil || again.NoLease != o.NoLease || again.LeaseTTL != o.LeaseTTL {
			t.Errorf("%s leads to %s (%v, %v)", kept, o.String(), err, againErr)
		}
	}
	short, err := s3.Parse("s3://bucket")
	if err != nil || short.String() != "s3://bucket" || short.PathStyle != s3.PathAuto {
		t.Errorf("got %s, %v", short.String(), err)
	}
}

func TestParse_RefusesWithTheRemedy(t *testing.T) {
	for _, tt := range []struct{ url, text, hint string }{
		{"https://bucket/x", "s3://", "s3://bucket/prefix"},
		{"s3://", "not the name of a bucket", "s3://bucket/prefix"},
		{"s3://Bucket_/x", "not the name of a bucket", "s3://bucket/prefix"},
		{"s3://bucket/a//b", "not a valid key", ""},
		{"s3://bucket/../b", "not a valid key", ""},
		{"s3://bucket/x?regoin=a", `unknown parameter "regoin"`, "did you mean region?"},
		{"s3://bucket/x?region=a&region=b", "2 times", "once"},
		{"s3://bucket/x?endpoint=storage.example", "endpoint", "https://host:port"},
		{"s3://bucket/x?endpoint=https://storage.example/path", "without a path", "https://host:port"},
		{"s3://bucket/x?path_style=yes", "path_style=yes", "true, false or auto"},
		{"s3://bucket/x?object_lock=governance", "object_lock=governance", "governance:30d"},
		{"s3://bucket/x?object_lock=always:3d", "object_lock=always:3d", "governance:30d"},
		{"s3://bucket/x?object_lock=compliance:0d", "compliance:0d", "compliance:30d"},
		{"s3://bucket/x?lease=off", "lease=off", "lease=none"},
		{"s3://bucket/x?lease=1s", "lease=1s", "lease=2s to 1h"},
		{"s3://bucket/x?lease=2h", "lease=2h", "lease=2s to 1h"},
		{"s3://bucket/x?part_size=1MiB", "part_size=1MiB", "5MiB"},
	} {
		t.Run(tt.url, func(t *testing.T) {
			_, err := s3.Parse(tt.url)
			if !errors.Is(err, holdfast.ErrUsage) || !strings.Contains(err.Error(), tt.text) || !strings.Contains(holdfast.HintOf(err), tt.hint) {
				t.Errorf("got %v (hint %q), want %q and a hint of %q", err, holdfast.HintOf(err), tt.text, tt.hint)
			}
		})
	}
}

func TestParse_SecretsAreRefusedAndNotRepeated(t *testing.T) {
	for _, url := range []string{
		"s3://AKIA:hunter2@bucket/x",
		"s3://bucket/x?access_key=hunter2",
		"s3://bucket/x?Secret_Key=hunter2",
		"s3://bucket/x?session_token=hunter2",
		"s3://bucket/x?endpoint=https://user:hunter2@storage.example",
		"s3://bucket:hunter2%/x",
	} {
		_, err := s3.Parse(url)
		if !errors.Is(err, holdfast.ErrUsage) {
			t.Errorf("%s gave %v", url, err)
			continue
		}
		if strings.Contains(err.Error()+holdfast.HintOf(err), "hunter2") {
			t.Errorf("the error repeats the secret: %v", err)
		}
	}
}

func TestBucket_WithoutCredentialsItSaysSo(t *testing.T) {
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY", "AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/absent")
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/absent")
	for _, tt := range []struct{ more, text, hint string }{
		{"", "no credentials found", "AWS_ACCESS_KEY_ID"},
		{"&profile=nobody", "profile nobody", "~/.aws/credentials"},
	} {
		b := open(t, "s3://bucket/x?endpoint=http://127.0.0.1:1"+tt.more)
		_, err := b.Open(t.Context(), "a")
		if err == nil || !strings.Contains(err.Error(), tt.text) || !strings.Contains(holdfast.HintOf(err), tt.hint) {
			t.Errorf("got %v (hint %q), want %q", err, holdfast.HintOf(err), tt.text)
		}
	}
}
