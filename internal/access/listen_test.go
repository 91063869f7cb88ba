package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestListen_BeyondLoopbackOnlyWithAToken(t *testing.T) {
	w := newWorld(t)
	beyond := []string{"0.0.0.0:1", "[::]:1", ":1", "192.0.2.1:1", "[2001:db8::1]:1", "name.invalid:1", "[::ffff:192.0.2.1]:1"}
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"} {
		if err := w.access.MayListen(address, false); err != nil {
			t.Errorf("%s: %v", address, err)
		}
		if p := w.access.Problems(address, false); len(p) != 0 {
			t.Errorf("%s: %+v", address, p)
		}
	}
	refused := func() {
		t.Helper()
		for _, address := range beyond {
			for _, withTLS := range []bool{false, true} {
				err := w.access.MayListen(address, withTLS)
				if !errors.Is(err, holdfast.ErrRefused) || !strings.Contains(holdfast.HintOf(err), "holdfast token create") {
					t.Errorf("%s: %v", address, err)
				}
			}
		}
	}
	refused()
	if _, _, err := w.open().Tokens().Create("old", Scopes{ScopeRead}, w.clock().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	w.pass(2 * time.Hour)
	refused() // it has expired
	w.token("me", ScopeRead)
	for _, address := range beyond {
		if err := w.access.MayListen(address, false); err != nil {
			t.Errorf("%s with a token: %v", address, err)
		}
		if p := w.access.Problems(address, false); len(p) != 1 || !strings.Contains(p[0].Message, "no TLS") {
			t.Errorf("%s without TLS: %+v", address, p)
		}
		if p := w.access.Problems(address, true); len(p) != 0 {
			t.Errorf("%s with TLS: %+v", address, p)
		}
	}
}

func TestListen_WhereATokenIsAlwaysNeededThereMustBeOne(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Serve.Auth = config.AuthRequired })
	if err := w.access.MayListen("127.0.0.1:1", false); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("without: %v", err)
	}
	w.token("me", ScopeRead)
	if err := w.access.MayListen("127.0.0.1:1", false); err != nil {
		t.Errorf("with: %v", err)
	}
}

// certificate writes a certificate of a name and its key.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestTLS_CertificatesAreReadAgainAndABadOneChangesNothing(t *testing.T) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "first")
	w := newWorld(t, func(c *config.Config) { c.Serve.TLSCert, c.Serve.TLSKey = cert, key })
	settings, err := w.access.TLS()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		<-served
	}()
	address := listener.Addr().String()
	if c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // what is old is what is looked at
		_ = c.Close()
		t.Error("it speaks TLS 1.1")
	}
	name := func() string {
		t.Helper()
		c, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // the name is what is looked at
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Fatalf("certificate of %s", got)
	}
	w.pass(time.Minute)
	certificate(t, dir, "second")
	if got := name(); got != "second" {
		t.Fatalf("certificate of %s, want that of second", got)
	}
	if err := os.WriteFile(cert, []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		w.pass(time.Minute)
		if got := name(); got != "second" {
			t.Fatalf("certificate of %s, want that of second", got)
		}
	}
	if n := strings.Count(w.log.String(), "cannot be used"); n != 1 {
		t.Errorf("it was told %d times", n)
	}
	if _, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil { //nolint:gosec // it must fail
		t.Error("TLS 1.1 was accepted")
	}
	if _, err := w.open().TLS(); err == nil || holdfast.HintOf(err) == "" {
		t.Errorf("a start with a torn certificate: %v", err)
	}
	if settings, err := newWorld(t).access.TLS(); settings != nil || err != nil {
		t.Errorf("without certificates: %v, %v", settings, err)
	}
}
