//go:build linux

package test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast/internal/job"
)

// certificate writes a certificate for this machine, and its key, and gives a pool that trusts it.
func (m *machine) certificate(cert, key string) *x509.CertPool {
	m.t.Helper()
	must := func(err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "holdfast"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true, IsCA: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	must(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	must(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	m.file(cert, string(text))
	m.file(key, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// Programs in three languages make the backup before their upload over TLS, with a token that may
// do nothing else.
var uploaders = map[string][]string{
	"curl": {"curl", "-sS", "--fail-with-body", "--cacert", "tls.pem", "-H", "@header", "-H", "Content-Type: application/json", "-d", `{"trigger":"auto","reuse":"0s"}`},
	"python": {python, "-c", `
import json, os, ssl, sys, urllib.request
request = urllib.request.Request(sys.argv[1], method="POST", data=b'{"trigger":"auto","reuse":"0s"}',
    headers={"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"})
with urllib.request.urlopen(request, context=ssl.create_default_context(cafile="tls.pem")) as answer:
    assert answer.status == 201, answer.status
    print(answer.read().decode())
`},
	"node": {"node", "-e", `
fetch(process.argv[1], { method: 'POST', body: '{"trigger":"auto","reuse":"0s"}',
  headers: { Authorization: 'Bearer ' + process.env.TOKEN, 'Content-Type': 'application/json' } })
  .then(async (answer) => { if (answer.status !== 201) throw new Error(answer.status); console.log(await answer.text()); })
  .catch((e) => { console.error(e); process.exit(1); });
`},
}

// Each scope may do what it is for, and nothing else; whoever hangs up does not end his backup.
func TestServe_OverTLSWithTokens(t *testing.T) {
	t.Parallel()
	m := newServer(t, idle+"serve: {tls_cert: tls.pem, tls_key: tls.key}\nhooks: {before_backup: bash gate.sh before_backup}\n")
	m.script("gate.sh", strings.Replace(gates, "exec sleep 600", "until [ -e go ]; do sleep 0.05; done", 1))
	pool := m.certificate("tls.pem", "tls.key")
	tokens := map[string]string{"none": "", "wrong": "hf_AAAAAAAA_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}
	for _, scope := range []string{"read", "backup", "restore", "admin"} {
		stdout, _ := m.must(0, "token", "create", scope, "--scope", scope)
		tokens[scope] = strings.TrimSpace(stdout)
	}
	d := m.serveAPI()
	if !strings.HasPrefix(d.url, "https://") {
		t.Fatalf("it serves %s", d.url)
	}
	d.http.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}

	for name, words := range uploaders {
		m.touch("bot.db")
		m.file("header", "Authorization: Bearer "+tokens["backup"])
		cmd := exec.Command(words[0], append(words[1:], d.url+"/api/v1/backups")...)
		cmd.Dir, cmd.Env = m.dir, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "TOKEN=" + tokens["backup"], "NODE_EXTRA_CA_CERTS=" + m.path("tls.pem")}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		var made struct {
			Backup struct{ Name, Trigger string }
		}
		if err != nil || json.Unmarshal(out, &made) != nil || made.Backup.Trigger != "auto" {
			t.Errorf("%s: %v %s%s", name, err, out, &stderr)
		}
	}
	d.token = tokens["read"]
	if n := len(d.names()); n != len(uploaders) {
		t.Errorf("%d backups of %d programs", n, len(uploaders))
	}
	latest := "/backups/" + d.names()[0]

	for _, c := range []struct {
		method, path, body string
		may                string // the scopes that may
	}{
		{"GET", "/backups", "", "read restore admin"},
		{"GET", "/status", "", "read backup restore admin"},
		{"GET", latest, "", "read restore admin"},
		{"GET", latest + "/download?format=tar", "", "restore admin"},
		{"GET", "/config", "", "admin"},
		{"GET", "/activity", "", "admin"},
		{"POST", "/backups", `{"trigger":"auto"}`, "backup admin"},
		{"POST", latest + "/verify", `{"wait":true}`, "restore admin"},
		{"POST", latest + "/restore-plan", "", "restore admin"},
		{"POST", "/prune", `{"wait":true,"dry_run":true}`, "admin"},
		{"PATCH", latest, `{"pinned":false}`, "admin"},
		{"DELETE", "/backups/absent", "", "admin"},
	} {
		for who, token := range tokens {
			d.token = token
			code, answer, err := d.try(c.method, c.path, c.body)
			if err != nil {
				t.Fatal(err)
			}
			may := strings.Contains(" "+c.may+" ", " "+who+" ")
			switch {
			case token == "" || who == "wrong":
				if code != http.StatusUnauthorized && code != http.StatusTooManyRequests {
					t.Errorf("%s %s with the token %s: %d %s", c.method, c.path, who, code, answer)
				}
			case may && (code == http.StatusForbidden || code == http.StatusUnauthorized || code >= 500), !may && code != http.StatusForbidden:
				t.Errorf("%s %s with the scope %s: %d %.300s", c.method, c.path, who, code, answer)
			}
		}
	}

	// Whoever hangs up while he waits has his backup all the same.
	d.token = tokens["backup"]
	m.touch("bot.db")
	m.gate("before_backup")
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan error, 1)
	go func() {
		resp, err := d.http.Do(d.request(ctx, http.MethodPost, "/backups", `{"trigger":"auto"}`, "Idempotency-Key", "upload"))
		if err == nil {
			resp.Body.Close()
		}
		gone <- err
	}()
	d.standsAt()
	hangUp()
	if err := <-gone; err == nil {
		t.Error("nobody hung up")
	}
	m.file("go", "")
	j := d.ended(d.post("/backups", `{"trigger":"auto","wait":false}`, "Idempotency-Key", "upload").ID)
	if j.State != job.Succeeded || j.By != "backup" {
		t.Errorf("the backup of whoever hung up: %s by %q %+v", j.State, j.By, j.Error)
	}

	// A token that is taken back is good for nothing at once; a new certificate is served
	// without a restart.
	m.must(0, "token", "revoke", "backup")
	d.until("the token is taken back", func() bool {
		code, _, err := d.try(http.MethodGet, "/status", "")
		return err == nil && code == http.StatusUnauthorized
	})
	pool = m.certificate("tls.pem", "tls.key")
	d.token = tokens["read"]
	d.until("the new certificate is served", func() bool {
		d.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
		code, _, err := d.try(http.MethodGet, "/status", "")
		return err == nil && code == http.StatusOK
	})
	for who, token := range tokens {
		if token != "" && strings.Contains(d.String(), token) {
			t.Errorf("the log tells the token of %s", who)
		}
	}
	d.ends(0)
}
