package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

// A holdfast is the daemon that makes the backups: `holdfast serve`. This file is
// the one to copy into an assistant of your own.
type holdfast struct {
	address   string // http://127.0.0.1:8484
	tokenFile string // a file with a token of the scope backup; empty where none is needed
	http      *http.Client
}

// A protection is what stands behind a change of the data.
type protection struct {
	Name       string // of the backup; empty if automatic backups are switched off
	Incomplete bool   // something could not be read, or is damaged: holdfast shows what
}

// A refusal is an answer of holdfast's that is no backup.
type refusal struct {
	Code   string `json:"code"`
	Detail string `json:"detail"`
	Hint   string `json:"hint"`
}

func (r *refusal) Error() string {
	if r.Hint != "" {
		return r.Detail + "; " + r.Hint
	}
	return r.Detail
}

// errSilent is that nobody answers at the address.
var errSilent = errors.New("holdfast does not answer")

// backupTime is how long a backup may take before the change is given up.
const backupTime = 10 * time.Minute

// before asks for a backup of everything up to now, and returns when it is there.
// reuse 0s says that a backup of a minute ago will not do: the manual promises one
// for each upload, and one without changes costs next to nothing.
func (h *holdfast) before(ctx context.Context, note string) (protection, error) {
	ctx, cancel := context.WithTimeout(ctx, backupTime)
	defer cancel()
	body, err := json.Marshal(map[string]any{"trigger": "auto", "note": note, "reuse": "0s", "wait_timeout": int(backupTime.Seconds())})
	if err != nil {
		return protection{}, err
	}
	key := rand.Text() // the same request twice is one backup
	status, answer, err := h.post(ctx, body, key)
	if err != nil && ctx.Err() == nil { // it was restarted, perhaps, and is back in a moment
		time.Sleep(time.Second)
		status, answer, err = h.post(ctx, body, key)
	}
	if err != nil {
		return protection{}, fmt.Errorf("%w: %w", errSilent, err)
	}
	if status/100 != 2 {
		problem := &refusal{}
		if json.Unmarshal(answer, problem) != nil || problem.Detail == "" {
			return protection{}, fmt.Errorf("%w: what answers at %s is not holdfast (status %d)", errSilent, h.address, status)
		}
		return protection{}, problem
	}
	if status == http.StatusAccepted {
		return protection{}, &refusal{Code: "locked", Detail: "the backup is still being made", Hint: "try again in a moment"}
	}
	var made struct {
		Skipped    string
		Incomplete bool
		Backup     struct{ Name string }
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Backup.Name == "" && made.Skipped == "" {
		return protection{}, fmt.Errorf("%w: the answer names no backup (%v)", errSilent, err)
	}
	return protection{Name: made.Backup.Name, Incomplete: made.Incomplete}, nil
}

func (h *holdfast) post(ctx context.Context, body []byte, key string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.address+"/api/v1/backups", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", key)
	return h.send(req)
}

// send sends a request with the token.
func (h *holdfast) send(req *http.Request) (int, []byte, error) {
	if h.tokenFile != "" {
		token, err := os.ReadFile(h.tokenFile)
		if err != nil {
			return 0, nil, err
		}
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	}
	resp, err := h.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	return resp.StatusCode, answer, err
}

// verdict is holdfast's sentence about the data, which a token of the scope backup
// may read.
func (h *holdfast) verdict(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.address+"/api/v1/status", http.NoBody)
	if err != nil {
		return "", err
	}
	status, answer, err := h.send(req)
	if err != nil {
		return "", err
	}
	var told struct{ Message, Detail string }
	if err := json.Unmarshal(answer, &told); err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", errors.New(told.Detail)
	}
	return told.Message, nil
}

// page is the address of a page of holdfast's, for a link.
func (h *holdfast) page(elem ...string) string {
	out := h.address + "/"
	for i, e := range elem {
		if i > 0 {
			out += "/"
		}
		out += url.PathEscape(e)
	}
	return out
}
