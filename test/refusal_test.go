//go:build linux

package test

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/s3test"
)

// What is wrong with a place in object storage is told in one line, with the
// documented exit code, on whatever command; run looks for the secrets.
func TestRefusal_Places(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	secure, ca := overTLS(t, s)
	m := newMachine(t)
	m.grow("bot.db", 50)
	m.file("ca.pem", ca)
	m.file("empty.pem", "nothing\n")
	rightKeys := s3test.Environment()
	otherSecret := []string{"AWS_ACCESS_KEY_ID=" + s3test.AccessKey, "AWS_SECRET_ACCESS_KEY=" + wrongSecret}
	otherKey := []string{"AWS_ACCESS_KEY_ID=nobody", "AWS_SECRET_ACCESS_KEY=" + wrongSecret}
	s.proxy.Inject(s3test.Rule{When: func(r *http.Request) bool { return strings.Contains(r.URL.String(), "forbidden") }, Fault: s3test.Refuse(http.StatusForbidden)})
	for _, tt := range []struct {
		name, url string
		env       []string
		code      int
		want      string
	}{
		{"no such bucket", s3test.URL(s.proxy.Addr(), "no-such-bucket", "x"), rightKeys, holdfast.ExitNotFound, "bucket"},
		{"a wrong secret", s.at("x"), otherSecret, holdfast.ExitFailed, "AWS_SECRET_ACCESS_KEY"},
		{"a wrong key", s.at("x"), otherKey, holdfast.ExitFailed, "AWS_ACCESS_KEY_ID"},
		{"no keys", s.at("x"), nil, holdfast.ExitFailed, "AWS_ACCESS_KEY_ID"},
		{"no permission", s.at("forbidden"), rightKeys, holdfast.ExitFailed, "permission"},
		{"an unknown authority", "s3://" + s.bucket + "/x?endpoint=" + secure, rightKeys, holdfast.ExitFailed, "ca_file="},
		{"a file without certificates", "s3://" + s.bucket + "/x?ca_file=empty.pem&endpoint=" + secure, rightKeys, holdfast.ExitUsage, "PEM"},
		{"no such file of certificates", "s3://" + s.bucket + "/x?ca_file=none.pem&endpoint=" + secure, rightKeys, holdfast.ExitFailed, "PEM"},
		{"a misspelt parameter", s.at("x", "regoin=eu"), rightKeys, holdfast.ExitUsage, "did you mean region?"},
		{"a value that is none", s.at("x", "path_style=perhaps"), rightKeys, holdfast.ExitUsage, "path_style"},
		{"a secret in the URL", "s3://key:" + wrongSecret + "@" + s.bucket + "/x", rightKeys, holdfast.ExitUsage, "no place for secrets"},
		{"a secret among the parameters", s.at("x", "secret_key="+wrongSecret), rightKeys, holdfast.ExitUsage, "no place for secrets"},
		{"another kind of place", "gs://bucket/x", rightKeys, holdfast.ExitUsage, "s3://bucket/prefix"},
		{"not the name of a bucket", "s3://Bad_Name/x", rightKeys, holdfast.ExitUsage, "not the name of a bucket"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := &machine{t: t, dir: m.dir, env: tt.env}
			for _, args := range [][]string{{"backup", "--sqlite", "bot.db"}, {"list"}, {"restore", "latest", "--to", "out"}} {
				code, _, stderr := m.run(append([]string{"--repo", tt.url}, args...)...)
				if code != tt.code {
					t.Errorf("%s: exit %d, want %d", args[0], code, tt.code)
				}
				refusal(t, stderr, tt.want)
			}
		})
	}
	t.Run("with the right authority", func(t *testing.T) {
		m := &machine{t: t, dir: m.dir, env: rightKeys}
		repo := "s3://" + s.bucket + "/secure?ca_file=ca.pem&path_style=true&endpoint=" + secure
		m.must(0, "--repo", repo, "--sqlite", "bot.db", "backup")
		m.must(0, "--repo", repo, "verify")
	})
}

// overTLS gives the server a name with a certificate that nobody knows, and the
// certificate.
func overTLS(t *testing.T, s *store) (endpoint, ca string) {
	t.Helper()
	upstream := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: s.proxy.Addr()})
		r.Out.Host = r.In.Host
	}}
	server := httptest.NewUnstartedServer(upstream)
	server.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // that a client hangs up is what is wanted
	server.StartTLS()
	t.Cleanup(server.Close)
	cert := server.Certificate()
	return server.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}))
}

// A replica that cannot be copied to is a warning of the backup, with exit code
// 3, names the replica, and loses nothing.
func TestRefusal_Replicas(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newMachine(t)
	m.with(s3test.Environment()...)
	m.grow("bot.db", 50)
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := closed.Addr().String()
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	m.must(0, "--repo", s.at("stranger"), "--sqlite", "bot.db", "backup", "--name", "theirs")
	before := s.objects("stranger/")
	m.must(0, "--repo", "mine", "--sqlite", "bot.db", "backup", "--name", "sunday")
	m.file("holdfast.yaml", fmt.Sprintf("repository: mine\nreplicas: [%q]\n", s.at("stranger")))
	_, stderr := m.must(holdfast.ExitIncomplete, "--sqlite", "bot.db", "backup", "--name", "monday")
	contains(t, "backup", stderr, "another repository", "hint: ")
	after := s.objects("stranger/")
	for key, size := range before {
		if after[key] != size && !strings.Contains(key, "/.holdfast/") {
			t.Errorf("%s of the other repository was changed", key)
		}
	}
	m.must(0, "--repo", s.at("stranger"), "verify", "theirs")

	if err := os.Remove(m.path("holdfast.yaml")); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := m.must(0, "--repo", "mine", "list", "--replica", "down="+s3test.URL(down, s.bucket, "x"))
	contains(t, "list", stdout, "monday")
	contains(t, "list", stderr, "warning: ", "down", "endpoint=")
}

// What is in the way in a bucket and is no backup is left alone.
func TestRefusal_ForeignObjects(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	m := newUser(t, s.at("shared"))
	m.grow("bot.db", 50)
	client := s.server.Client(t)
	m.must(0, "backup", "--name", "monday")
	foreign := map[string]string{"shared/readme.txt": "theirs", "shared/photos/1.jpg": "theirs too", "shared/.hidden": "x", "shared-not/a": "y", "a": "z"}
	for key, content := range foreign {
		if _, err := client.Client.PutObject(t.Context(), s.bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	m.touch("bot.db")
	m.must(0, "backup", "--name", "tuesday")
	m.must(0, "verify", "--all")
	if got := fmt.Sprint(m.list().names()); got != "[tuesday monday]" {
		t.Errorf("the list has %s", got)
	}
	m.must(0, "--yes", "delete", "monday")
	m.must(0, "compact")
	m.must(0, "prune")
	there := s.objects("")
	for key, content := range foreign {
		if there[key] != int64(len(content)) {
			t.Errorf("%s is gone or changed", key)
		}
	}
	_, stderr := m.must(holdfast.ExitRefused, "backup", "--name", "photos")
	refusal(t, stderr, "photos")
	_, stderr = m.must(holdfast.ExitRefused, "--repo", s.at("shared/photos"), "backup")
	refusal(t, stderr, "not empty", "1.jpg")
	m.must(0, "restore", "tuesday", "--to", "out")
	if m.sum("out/bot/bot.db") != m.sum("bot.db") {
		t.Error("another database came back")
	}
}
