//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// uiPages are those that people look at in a browser. Later is the address of a page
// late in the list, and the job is one that made a backup.
func uiPages(later, job string) []page {
	return []page{
		{name: "overview", path: "/"},
		{name: "backups", path: "/backups"},
		{name: "a search", path: "/backups?q=7&trigger=scheduled"},
		{name: "a later page", path: later},
		{name: "details", path: "/backups/" + firstBackup},
		{name: "restore", path: "/backups/" + firstBackup + "/restore"},
		{name: "activity", path: "/activity"},
		{name: "settings", path: "/settings"},
		{name: "a job", path: "/jobs/" + job},
		{name: "50 of the folder, read for each request", path: folderPage, peer: true},
	}
}

// uiCrowds are how many people look at once.
var uiCrowds = []int{1, 10, 100}

// A uiResult is a measurement of the pages for browsers.
type uiResult struct {
	backups int
	first   time.Duration // the list, as soon as the daemon serves
	rows    []uiRow
	weights []uiWeight
}

// A uiRow is how a page was answered to so many.
type uiRow struct {
	pageResult
	clients int
	cpu     time.Duration // of the server, for each page, whatever else the machine does
}

// A uiWeight is what a page brings over the wire in a language.
type uiWeight struct {
	name, lang string
	page       int // the page itself, compressed: all that a second visit loads
	cold       int // with everything that it names, for who has nothing yet
}

// measureUI measures the pages for browsers.
func measureUI(ctx context.Context, w *workshop, o options) (string, error) {
	before := load()
	r, err := w.measureUI(ctx, o)
	if err != nil {
		return "", err
	}
	return r.table(fmt.Sprintf("%s in all, clients and server on the same %d CPUs; load of the machine before %s, after %s.\n", o.lasts, runtime.NumCPU(), before, load())), nil
}

// measureUI makes a repository with many backups, and lets a daemon serve it.
func (w *workshop) measureUI(ctx context.Context, o options) (r uiResult, err error) {
	r.backups = o.backups
	dir := filepath.Join(w.dir, "ui")
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
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	defer client.CloseIdleConnections()
	if r.first, err = fetch(ctx, client, daemon.url+"/backups"); err != nil {
		return r, err
	}
	peer, err := w.serveHere(ctx, "folder", repository)
	if err != nil {
		return r, err
	}
	defer peer.stop()
	job, err := oneBackup(ctx, client, daemon.url)
	if err != nil {
		return r, err
	}
	later, err := laterPage(ctx, client, daemon.url)
	if err != nil {
		return r, err
	}
	pages := uiPages(later, job)
	for _, clients := range uiCrowds {
		for _, p := range pages {
			row := uiRow{pageResult: pageResult{page: p}, clients: clients}
			base := daemon.url
			if p.peer {
				base = peer.url
			}
			before, err := inside(ctx, client, daemon.url)
			if err != nil {
				return r, err
			}
			if row.took, err = crowd(ctx, client, base+p.path, clients, apiPause, o.lasts/time.Duration(len(uiCrowds)*len(pages))); err != nil {
				return r, fmt.Errorf("%s: %w", p.name, err)
			}
			after, err := inside(ctx, client, daemon.url)
			if err != nil {
				return r, err
			}
			if !p.peer {
				row.inside = after.since(before)
				row.cpu = row.inside.cpu / time.Duration(len(row.took))
			}
			fmt.Fprintf(os.Stderr, "  %d clients: %d times %s\n", clients, len(row.took), p.name)
			r.rows = append(r.rows, row)
		}
	}
	for _, p := range pages {
		for _, lang := range []string{"en", "th", "fa"} {
			if p.peer {
				continue
			}
			weight, err := weigh(ctx, client, daemon.url, p, lang)
			if err != nil {
				return r, err
			}
			r.weights = append(r.weights, weight)
		}
	}
	return r, nil
}

// laterPages is how many pages of the list are before the one that is late in it.
const laterPages = 10

// nextPage is the address of the next page in one of the list.
var nextPage = regexp.MustCompile(`rel="next" href="(/backups\?after=[^"]+)"`)

// laterPage goes on in the list as a reader does.
func laterPage(ctx context.Context, client *http.Client, base string) (string, error) {
	path := "/backups"
	for range laterPages {
		text, _, err := transfer(ctx, client, base+path, "en")
		if err != nil {
			return "", err
		}
		next := nextPage.FindStringSubmatch(text)
		if next == nil { // fewer were made
			return path, nil
		}
		path = html.UnescapeString(next[1])
	}
	return path, nil
}

// oneBackup asks for a backup, and gives its job.
func oneBackup(ctx context.Context, client *http.Client, base string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/backups", strings.NewReader(`{"trigger":"manual"}`))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var made struct{ Job string }
	if err := json.NewDecoder(res.Body).Decode(&made); err != nil || made.Job == "" {
		return "", errors.Join(fmt.Errorf("make a backup: %s", res.Status), err)
	}
	return made.Job, nil
}

// What a page and its styles name.
var (
	assetNamed = regexp.MustCompile(`(?:href|src)="(/assets/[^"#]+)`)
	fontFace   = regexp.MustCompile(`(?s)@font-face\s*\{[^}]*\}`)
	fontFile   = regexp.MustCompile(`url\(["']?([^"')]+)`)
	fontRange  = regexp.MustCompile(`[Uu]\+([0-9A-Fa-f]+)(?:-([0-9A-Fa-f]+))?`)
)

// weigh loads a page as a browser does that has nothing yet: with what it names, and the
// fonts that have letters of it.
func weigh(ctx context.Context, client *http.Client, base string, p page, lang string) (uiWeight, error) {
	out := uiWeight{name: p.name, lang: lang}
	text, size, err := transfer(ctx, client, base+p.path, lang)
	if err != nil {
		return out, err
	}
	out.page, out.cold = size, size
	seen := map[string]bool{}
	load := func(path string) (string, error) {
		if seen[path] {
			return "", nil
		}
		seen[path] = true
		text, size, err := transfer(ctx, client, base+path, lang)
		out.cold += size
		return text, err
	}
	for _, named := range assetNamed.FindAllStringSubmatch(text, -1) {
		style, err := load(html.UnescapeString(named[1]))
		if err != nil {
			return out, err
		}
		for _, face := range fontFace.FindAllString(style, -1) {
			file := fontFile.FindStringSubmatch(face)
			if file == nil || !draws(face, text) {
				continue
			}
			path := file[1]
			if !strings.HasPrefix(path, "/") {
				path = "/assets/" + path
			}
			if _, err := load(path); err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// draws tells whether a font has any of the letters: its range of them is what a browser
// goes by.
func draws(face, text string) bool {
	ranges := fontRange.FindAllStringSubmatch(face, -1)
	for _, r := range ranges {
		from, err := strconv.ParseInt(r[1], 16, 32)
		to := from
		if err == nil && r[2] != "" {
			to, err = strconv.ParseInt(r[2], 16, 32)
		}
		if err == nil && strings.ContainsFunc(text, func(letter rune) bool { return int64(letter) >= from && int64(letter) <= to }) {
			return true
		}
	}
	return len(ranges) == 0
}

// transfer gives what is at a URL, and how many bytes of it came over the wire, without
// headers.
func transfer(ctx context.Context, client *http.Client, url, lang string) (text string, size int, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Accept-Encoding", "gzip") // set here, it is not undone by the client
	req.Header.Set("Accept-Language", lang)
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return "", 0, fmt.Errorf("%s: %s", url, res.Status)
	}
	wire, err := io.ReadAll(res.Body)
	if err != nil || res.Header.Get("Content-Encoding") != "gzip" {
		return string(wire), len(wire), err
	}
	z, err := gzip.NewReader(bytes.NewReader(wire))
	if err != nil {
		return "", 0, err
	}
	plain, err := io.ReadAll(z)
	return string(plain), len(wire), err
}

// table has a row for each page and crowd, and one for what each page weighs.
func (r uiResult) table(foot string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### Pages for browsers, %d backups\n\n| Clients | Page | Pages | In the server: processor ms | mean ms | 99 of 100 within ms | all within ms | At the client: median ms | 99 of 100 ms | Ratio |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|\n", r.backups)
	peers := map[int]time.Duration{}
	for _, row := range r.rows {
		if row.peer {
			peers[row.clients] = quantile(row.took, 0.5)
		}
	}
	for _, row := range r.rows {
		server, ratio := " | | | ", "1"
		if !row.peer {
			server = fmt.Sprintf("%s | %s | %s | %s", milliseconds(row.cpu), milliseconds(row.inside.mean()), row.inside.bound(0.99), row.inside.bound(1))
			if peer := peers[row.clients]; peer > 0 {
				ratio = fmt.Sprintf("**%.2g**", float64(quantile(row.took, 0.5))/float64(peer))
			}
		}
		fmt.Fprintf(&b, "| %d | %s | %d | %s | %s | %s | %s |\n", row.clients, row.name, len(row.took), server,
			milliseconds(quantile(row.took, 0.5)), milliseconds(quantile(row.took, 0.99)), ratio)
	}
	fmt.Fprintf(&b, "\nThe list, asked for as soon as the daemon serves: %s ms.\n", milliseconds(r.first))
	b.WriteString("\n| Page | en: first visit, KB | later, KB | th: first visit, KB | later, KB | fa: first visit, KB | later, KB |\n|---|--:|--:|--:|--:|--:|--:|")
	for i, w := range r.weights {
		if i == 0 || r.weights[i-1].name != w.name {
			fmt.Fprintf(&b, "\n| %s |", w.name)
		}
		fmt.Fprintf(&b, " %.1f | %.1f |", float64(w.cold)/1000, float64(w.page)/1000)
	}
	return b.String() + "\n\n" + foot
}
