package access

import (
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// TLS gives the server's side of TLS by the configured files, and nil if there
// are none. The files are read again when they change, by this or another
// configuration; one that cannot be used leaves the certificate as it is, and
// the log says so once.
func (a *Access) TLS() (*tls.Config, error) {
	s := a.settings.Load()
	if s.cert == "" {
		return nil, nil
	}
	if err := a.certs.load(s.cert, s.key); err != nil {
		return nil, &holdfast.Error{Op: "read the certificate", Object: s.cert, Err: err, Hint: "serve.tls_cert names the certificate and serve.tls_key its key, both in PEM"}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			now := a.settings.Load()
			return a.certs.current(now.cert, now.key)
		},
	}, nil
}

// certificates are the certificate in use, and what it was read from.
type certificates struct {
	now func() time.Time
	log *slog.Logger

	mu       sync.Mutex
	cert     *tls.Certificate
	seen     [2]stamp // of the files that were tried last
	lookedAt time.Time
}

// stamp tells a file from its next version.
type stamp struct {
	name string
	info fs.FileInfo
}

func (s stamp) same(o stamp) bool {
	if s.name != o.name || (s.info == nil) != (o.info == nil) {
		return false
	}
	return s.info == nil || os.SameFile(s.info, o.info) && s.info.ModTime().Equal(o.info.ModTime()) && s.info.Size() == o.info.Size()
}

func stampsOf(cert, key string) (out [2]stamp) {
	for i, name := range []string{cert, key} {
		out[i].name = name
		if info, err := os.Stat(name); err == nil {
			out[i].info = info
		}
	}
	return out
}

// load reads the files now.
func (c *certificates) load(cert, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.read(cert, key)
}

func (c *certificates) read(cert, key string) error {
	c.seen, c.lookedAt = stampsOf(cert, key), c.now()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return err
	}
	c.cert = &pair
	return nil
}

// current gives the certificate, read again if its files have changed. The
// files are looked at once a second at most.
func (c *certificates) current(cert, key string) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if age := now.Sub(c.lookedAt); cert != "" && (age >= lookAgain || age < 0) {
		c.lookedAt = now
		found := stampsOf(cert, key)
		if !found[0].same(c.seen[0]) || !found[1].same(c.seen[1]) {
			if err := c.read(cert, key); err != nil {
				c.log.Error("the new certificate cannot be used; the former one stays", "file", cert, "error", err)
			} else {
				c.log.Info("the certificate was read again", "file", cert)
			}
		}
	}
	if c.cert == nil {
		return nil, errors.New("there is no certificate")
	}
	return c.cert, nil
}
