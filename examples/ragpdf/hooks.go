package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A restore replaces the files of Chroma, so Chroma must not run meanwhile. The
// hooks of holdfast.yaml ask this program to stop it, and to start it again and
// look its collections up anew: those of the restored data have other ids.
//
//	curl -H @data/hooks.header -X POST http://127.0.0.1:8600/hooks/stop
//
// The file holds the whole line "Authorization: Bearer …", so that the secret
// stands in no command. It is made at the first start.

// A gate lets requests use Chroma, or keeps them from it during a restore.
type gate struct {
	mark string // a file that is there while the gate is shut, also over restarts of this program

	mu   sync.RWMutex
	shut bool
}

// use runs what needs Chroma, unless there is a restore.
func (g *gate) use(work func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.shut {
		return say("restore.running")
	}
	return work()
}

// close waits until what uses Chroma has ended, and lets nothing else begin.
func (g *gate) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = true
	return os.WriteFile(g.mark, []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600)
}

// open lets requests use Chroma again.
func (g *gate) open() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := os.Remove(g.mark); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	g.shut = false
	return nil
}

// restoring tells whether the gate is shut.
func (g *gate) restoring() bool {
	g.mu.RLock()
	defer g.mu.RUnlock()
	return g.shut
}

// stopHook stops Chroma before a restore.
func (a *assistant) stopHook(w http.ResponseWriter, _ *http.Request) {
	if a.server == nil {
		http.Error(w, "this program did not start Chroma, so it cannot stop it: let hooks.stop stop it, too", http.StatusConflict)
		return
	}
	err := a.gate.close()
	if err == nil {
		err = a.server.stop()
	}
	a.tell(w, err)
}

// startHook starts Chroma after a restore, and reloads the collections.
func (a *assistant) startHook(w http.ResponseWriter, r *http.Request) {
	var err error
	if a.server != nil {
		err = a.server.start(r.Context())
	}
	if err == nil {
		err = a.reload(r.Context())
	}
	if err == nil {
		err = a.gate.open()
	}
	a.tell(w, err)
}

// reload looks the collections up again, and makes what is missing.
func (a *assistant) reload(ctx context.Context) error {
	a.chroma.forget()
	for _, name := range []string{documentCollection, memoryCollection} {
		if _, err := a.chroma.id(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// tell answers a hook: one line, that holdfast shows where a hook has failed.
func (a *assistant) tell(w http.ResponseWriter, err error) {
	if err != nil {
		log.Print("hook: ", err)
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"ok": true}); err != nil {
		log.Print("hook: ", err)
	}
}

// secretly lets only this machine call a hook, and only with the secret.
func secretly(header string, next http.HandlerFunc) http.HandlerFunc {
	_, secret, _ := strings.Cut(header, ": ")
	return func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		switch ip := net.ParseIP(host); {
		case err != nil || ip == nil || !ip.IsLoopback():
			http.Error(w, "hooks are called on this machine only", http.StatusForbidden)
		case subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte(secret)) != 1:
			http.Error(w, "the secret is missing or wrong: curl -H @hooks.header", http.StatusUnauthorized)
		default:
			next(w, r)
		}
	}
}

// hookHeader reads the header with the secret of the hooks, and makes it if there
// is none.
func hookHeader(folder string) (string, error) {
	path := filepath.Join(folder, "hooks.header")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte("Authorization: Bearer " + rand.Text() + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	header := strings.TrimSpace(string(text))
	if _, secret, ok := strings.Cut(header, ": Bearer "); err == nil && (!ok || len(secret) < 16) {
		return "", errors.New(path + " does not hold a line Authorization: Bearer SECRET; remove it, and a new one is made")
	}
	return header, err
}
