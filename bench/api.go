//go:build linux

package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// A page is what clients ask a daemon for again and again.
type page struct {
	name string
	path string
	peer bool // asked of the peer, which has nothing else
}

// apiPages are those of somebody who looks at the backups: the first page, the last, a
// search, one backup, and how everything stands.
var apiPages = []page{
	{name: "a page of 50", path: "/api/v1/backups"},
	{name: "the 50 oldest", path: "/api/v1/backups?sort=oldest"},
	{name: "a search", path: "/api/v1/backups?q=7&trigger=scheduled&limit=20"},
	{name: "one backup", path: "/api/v1/backups/" + firstBackup},
	{name: "status", path: "/api/v1/status"},
	{name: "50 of the folder, read for each request", path: "/", peer: true},
}

// firstBackup is one that is surely there.
const firstBackup = "backup-0000"

// A pageResult is how a page was answered.
type pageResult struct {
	page
	busy   bool            // the clients made no pause
	took   []time.Duration // at the clients, sorted
	inside distribution    // at the server; nothing of the peer
}

// An apiResult is a measurement of pages.
type apiResult struct {
	backups, clients int
	pages            []pageResult
	listed           []reading // holdfast list --json, each in a process of its own
}

// apiPause is what a client does between two pages. Without it the clients would measure
// how many of them two processors can serve at once.
const apiPause = 250 * time.Millisecond

// measureAPI makes a repository with many backups, lets a daemon serve it and many
// clients ask for pages.
func (w *workshop) measureAPI(ctx context.Context, o options) (r apiResult, err error) {
	r = apiResult{backups: o.backups, clients: o.clients}
	dir := filepath.Join(w.dir, "api")
	fmt.Fprintf(os.Stderr, "making %d backups\n", o.backups)
	if err := w.child(ctx, nil, "backups", dir, fmt.Sprint(o.backups)); err != nil {
		return r, err
	}
	repository := filepath.Join(dir, "repository")
	daemon, err := w.serveHoldfast(ctx, dir, "--sqlite", filepath.Join(dir, "data.db"), "--repo", repository, "serve", "--listen", "127.0.0.1:0", "--every", "off", "--on-change", "off")
	if err != nil {
		return r, err
	}
	defer daemon.stop()
	peer, err := w.serveHere(ctx, "folder", repository)
	if err != nil {
		return r, err
	}
	defer peer.stop()
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: o.clients}}
	defer client.CloseIdleConnections()

	for _, busy := range []bool{false, true} {
		for _, p := range apiPages {
			result := pageResult{page: p, busy: busy}
			base, pause := daemon.url, apiPause
			if p.peer {
				base = peer.url
			}
			if busy {
				pause = 0
			}
			before, err := inside(ctx, client, daemon.url)
			if err != nil {
				return r, err
			}
			if result.took, err = crowd(ctx, client, base+p.path, o.clients, pause, o.lasts/time.Duration(2*len(apiPages))); err != nil {
				return r, fmt.Errorf("%s: %w", p.name, err)
			}
			after, err := inside(ctx, client, daemon.url)
			if err != nil {
				return r, err
			}
			if !p.peer {
				result.inside = after.since(before)
			}
			fmt.Fprintf(os.Stderr, "  %d times %s\n", len(result.took), p.name)
			r.pages = append(r.pages, result)
		}
	}
	for range o.runs {
		took, err := w.time(ctx, posting{dir: dir, counts: repository}, `"$H" --json list --repo repository >list.json`)
		if err != nil {
			return r, err
		}
		r.listed = append(r.listed, took)
	}
	return r, nil
}

// table has a row for each page.
func (r apiResult) table(foot string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %d clients, %d backups\n\n| Clients | Page | Pages | In the server: mean ms | 99 of 100 within ms | all within ms | At the client: median ms | 99 of 100 ms | most ms | Ratio |\n|---|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", r.clients, r.backups)
	peers := map[bool]time.Duration{}
	for _, p := range r.pages {
		if p.peer {
			peers[p.busy] = quantile(p.took, 0.5)
		}
	}
	for _, p := range r.pages {
		pause := fmt.Sprintf("with %d ms between two pages", apiPause.Milliseconds())
		if p.busy {
			pause = "without a pause"
		}
		server := " | | "
		if !p.peer {
			server = fmt.Sprintf("%s | %s | %s", milliseconds(p.inside.mean()), p.inside.bound(0.99), p.inside.bound(1))
		}
		ratio := "1"
		if !p.peer && peers[p.busy] > 0 {
			ratio = fmt.Sprintf("**%.2g**", float64(quantile(p.took, 0.5))/float64(peers[p.busy]))
		}
		fmt.Fprintf(&b, "| %s | %s | %d | %s | %s | %s | %s | %s |\n", pause, p.name, len(p.took), server,
			milliseconds(quantile(p.took, 0.5)), milliseconds(quantile(p.took, 0.99)), milliseconds(quantile(p.took, 1)), ratio)
	}
	fmt.Fprintf(&b, "\n`holdfast list --json`, a process that reads them all: %s s.\n", seconds(median(r.listed, wallOf)))
	return b.String() + "\n" + foot
}

// bound is the least bound that a share kept, for people.
func (d distribution) bound(share float64) string {
	if at, ok := d.below(share); ok {
		return milliseconds(at)
	}
	return "more"
}

// makeBackups makes a small database and many backups of it, a row changed before each.
func makeBackups(ctx context.Context, dir string, n int) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	file := filepath.Join(dir, "data.db")
	db, err := sql.Open("sqlite", "file:"+file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "PRAGMA journal_mode=wal; CREATE TABLE t(id INTEGER PRIMARY KEY, x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200) INSERT INTO t(x) SELECT hex(randomblob(100)) FROM n"); err != nil {
		return err
	}
	c, err := config.Load(config.Flags{
		NoFile: true, Repository: filepath.Join(dir, "repository"),
		Sources: []config.Source{{Name: "data", Kind: holdfast.KindSQLite, Path: file}},
	}, nil)
	if err != nil {
		return err
	}
	r, _, err := wire.CreateRepository(ctx, c)
	if err != nil {
		return err
	}
	e, err := wire.Engine(c, wire.Options{Repository: r})
	if err != nil {
		return err
	}
	for i := range n {
		if _, err := db.ExecContext(ctx, "UPDATE t SET x = hex(randomblob(100)) WHERE id = ?", i%200+1); err != nil {
			return err
		}
		if _, err := e.Backup(ctx, engine.BackupRequest{Name: fmt.Sprintf("backup-%04d", i), Trigger: holdfast.TriggerScheduled, Note: "one of many"}); err != nil {
			return err
		}
	}
	return nil
}

// folderPage is where the folder is a page for browsers.
const folderPage = "/page"

// serveFolder is the simplest server of a list of backups: it reads the folder for each
// request and shows fifty of what it finds.
func serveFolder(dir string) error {
	type item struct {
		Name string    `json:"name"`
		At   time.Time `json:"at"`
	}
	fifty := func() ([]item, error) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		var all []item
		for _, e := range entries {
			if info, err := e.Info(); err == nil && e.IsDir() {
				all = append(all, item{e.Name(), info.ModTime()})
			}
		}
		return all[max(0, len(all)-50):], nil
	}
	rows := template.Must(template.New("").Parse(`<!doctype html><title>Backups</title><table>{{range .}}<tr><td>{{.Name}}<td>{{.At}}{{end}}</table>`))
	return answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		found, err := fifty()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if r.URL.Path == folderPage {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_ = rows.Execute(w, found) // whoever asked has left
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(found)
	}))
}
