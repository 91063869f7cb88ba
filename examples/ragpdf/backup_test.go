package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// aHoldfast answers as the daemon does, with what a test tells it.
func aHoldfast(t *testing.T, status int, body string) (daemon *holdfast, requests *[]map[string]any) {
	t.Helper()
	requests = &[]map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost { // the status
			w.WriteHeader(http.StatusOK)
			return
		}
		var sent map[string]any
		if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
			t.Error(err)
		}
		sent["key"], sent["token"] = r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
		*requests = append(*requests, sent)
		w.WriteHeader(status)
		if _, err := w.Write([]byte(body)); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("hf_secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &holdfast{address: server.URL, tokenFile: token, http: server.Client()}, requests
}

// What holdfast answers decides whether a change goes on, and what the reader is
// told.
func TestProtect_WhatGoesOn(t *testing.T) {
	const problem = `{"status":1,"code":"CODE","detail":"what failed","hint":"what to do"}`
	for _, tt := range []struct {
		name    string
		status  int
		body    string
		upload  string // the notice, or the error, of an upload
		deletes string // of a deletion
		goesOn  [2]bool
	}{
		{"a backup", 201, `{"backup":{"name":"auto_1"},"incomplete":false}`, "backup.made", "backup.made", [2]bool{true, true}},
		{"one that is there", 200, `{"backup":{"name":"auto_1"},"reused":true}`, "backup.made", "backup.made", [2]bool{true, true}},
		{"switched off", 200, `{"skipped":"auto backup is off"}`, "backup.off", "backup.off", [2]bool{true, true}},
		{"incomplete", 201, `{"backup":{"name":"auto_1"},"incomplete":true}`, "backup.incomplete", "backup.incomplete_refused", [2]bool{true, false}},
		{"failed", 500, `{"code":"failed","detail":"what failed"}`, "backup.failed", "backup.failed", [2]bool{}},
		{"no room", 409, problem, "backup.failed", "backup.failed", [2]bool{}},
		{"locked", 423, `{"code":"locked","detail":"what failed"}`, "backup.locked", "backup.locked", [2]bool{}},
		{"still at it", 202, `{"id":"J"}`, "backup.locked", "backup.locked", [2]bool{}},
		{"a wrong token", 401, `{"code":"unauthorized","detail":"what failed"}`, "backup.token", "backup.token", [2]bool{}},
		{"another server", 404, `<html>`, "backup.silent", "backup.silent", [2]bool{}},
		{"an empty answer", 200, `{}`, "backup.silent", "backup.silent", [2]bool{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			daemon, requests := aHoldfast(t, tt.status, tt.body)
			for without, change := range map[string][2]bool{
				withoutNothing: tt.goesOn, withoutUploads: {true, tt.goesOn[1]}, withoutEverything: {true, true},
			} {
				a := &assistant{holdfast: daemon, without: without}
				for i, deletes := range []bool{false, true} {
					notices, err := a.protect(t.Context(), changeOf(deletes))
					if (err == nil) != change[i] {
						t.Errorf("without-backup %s, deletes %v: %v", without, deletes, err)
					}
					if err == nil && len(notices) == 0 {
						t.Errorf("without-backup %s, deletes %v: nothing is said", without, deletes)
					}
					if without == withoutNothing {
						if got := told(notices, err); got != []string{tt.upload, tt.deletes}[i] {
							t.Errorf("deletes %v: %s", deletes, got)
						}
					}
				}
			}
			keys := map[any]bool{}
			for _, r := range *requests {
				if r["trigger"] != "auto" || r["token"] != "Bearer hf_secret" || r["key"] == "" || keys[r["key"]] {
					t.Errorf("it asks %v", r)
				}
				keys[r["key"]] = true
			}
		})
	}
}

func changeOf(deletes bool) change { return change{note: "before a test", deletes: deletes} }

// told is what the reader is told first.
func told(notices []notice, err error) string {
	if s, is := errors.AsType[*sentence](err); is {
		if len(s.args) == 1 {
			if reason, is := s.args[0].(*sentence); is {
				return reason.id
			}
		}
		return s.id
	}
	if err != nil || len(notices) == 0 {
		return "nothing"
	}
	return notices[0].ID
}

// Where nobody answers the same request is sent once more: a daemon that was just
// restarted makes one backup of both.
func TestBefore_ASecondTry(t *testing.T) {
	var keys []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		if len(keys) == 1 {
			panic(http.ErrAbortHandler) // the connection breaks
		}
		w.WriteHeader(http.StatusCreated)
		if _, err := w.Write([]byte(`{"backup":{"name":"auto_2"}}`)); err != nil {
			t.Error(err)
		}
	}))
	defer server.Close()
	made, err := (&holdfast{address: server.URL, http: server.Client()}).before(t.Context(), "")
	if err != nil || made.Name != "auto_2" || len(keys) != 2 || keys[0] != keys[1] {
		t.Errorf("%+v, %v, keys %q", made, err, keys)
	}
	server.Close()
	if _, err := (&holdfast{address: server.URL, http: server.Client()}).before(t.Context(), ""); !errors.Is(err, errSilent) {
		t.Errorf("nobody there: %v", err)
	}
}
