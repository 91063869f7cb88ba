package browser

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/sinktest"
)

// What can be done with backups is done once, by a person.
func TestLive_ActionsOnBackups(t *testing.T) {
	w := newWorld(t, live)
	server := w.chroma(true)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.follow(link, p.says("overview.do.enhanced"))
	p.types(textbox, p.says("backups.form_name"), "friday")
	p.types(textbox, p.says("backups.form_note"), "before the holidays")
	p.press(checkbox, p.says("backups.form_pin"))
	p.press(checkbox, p.says("backups.form_full"))
	p.follow(button, p.says("backups.form_make"))
	p.reads(p.says("jobs.backup_made", "name", "friday"))
	p.follow(link, p.says("jobs.next_details"))
	p.reads("before the holidays")
	p.follow(button, p.says("details.unpin"))
	p.reads(p.says("details.said_unpinned", "name", "friday"))
	p.follow(button, p.says("details.drill"))
	p.reads(p.says("jobs.drill_good", "name", "friday"))
	p.goes("/backups/friday")
	p.follow(button, p.says("details.verify"))
	p.reads(p.says("jobs.verify_good", "name", "friday"))
	p.goes("/backups/friday")
	p.downloads(t)

	w.sqlite("DELETE FROM guests WHERE name = 'Ada'")
	p.follow(link, p.says("frame.backups"))
	p.follow(button, p.says("backups.quick"))
	p.find(link, p.says("jobs.next_details"))
	p.follow(link, p.says("jobs.next_list"))
	p.types(search, p.says("backups.search"), "holidays")
	p.chooses(p.says("backups.sort"), p.says("backups.largest"))
	p.follow(button, p.says("backups.show"))
	p.reads(p.l.N("backups.found", 1))
	p.follow(link, p.says("backups.clear"))

	// Deleting is taken back once, and once it is not.
	for _, undone := range []bool{true, false} {
		p.press(checkbox, p.says("backups.select_all"))
		p.press(checkbox, p.says("backups.select", "name", "friday"))
		p.follow(button, p.says("backups.delete")) // one that nothing needs: no more is asked
		p.reads(p.says("backups.deleting"))
		if undone {
			p.follow(button, p.says("frame.undo"))
			p.goes("/backups")
			eventually(t, "nothing is being deleted", func() bool { return !strings.Contains(p.text(), p.says("backups.deleting")) })
			p.goes("/backups")
			continue
		}
		eventually(t, "only friday is left", func() bool {
			p.goes("/backups")
			return !strings.Contains(p.text(), "quick_backup_")
		})
	}
	p.find(link, "friday")

	// Part of a backup is restored while the server of the other part runs; then all of it.
	p.goes("/backups/friday/restore")
	p.reads(p.says("restore.refused"))
	p.follow(link, p.says("restore.only", "name", "bot"))
	p.reads(p.l.N("restore.change.more", 1))
	p.confirms("friday")
	p.follow(button, p.says("restore.begin"))
	p.reads(p.says("jobs.restore_good", "name", "friday"))
	if n := w.guests(); n != "3" {
		t.Errorf("%s guests", n)
	}
	if err := server.Stop(); err != nil {
		t.Fatal(err)
	}
	p.goes("/backups/friday/restore")
	p.find(button, p.says("restore.show"))
	p.confirms("friday")
	p.follow(button, p.says("restore.begin"))
	p.reads(p.says("jobs.restore_good", "name", "friday"))
	p.content()
	d.stop()
}

// downloads takes a backup home in both forms, and compares what is in them.
func (p *person) downloads(t *testing.T) {
	t.Helper()
	packed := map[string][]byte{}
	for _, form := range []string{"tar", "zip"} {
		p.find(link, p.says("details.download_as", "form", form))
		text, err := evaluate[string](p.tab, fmt.Sprintf(`(async () => {
			const link = [...document.querySelectorAll("a[download]")].find((a) => a.textContent.trim() === %q);
			const bytes = new Uint8Array(await (await fetch(link.href)).arrayBuffer());
			let out = "";
			for (let i = 0; i < bytes.length; i += 8192) out += String.fromCharCode(...bytes.subarray(i, i + 8192));
			return btoa(out);
		})()`, form))
		if err != nil {
			t.Fatal(err)
		}
		if packed[form], err = base64.StdEncoding.DecodeString(text); err != nil {
			t.Fatal(err)
		}
	}
	fromTar, fromZip := map[string]string{}, map[string]string{}
	for r := tar.NewReader(bytes.NewReader(packed["tar"])); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			fromTar[h.Name] = string(content)
		}
	}
	z, err := zip.NewReader(bytes.NewReader(packed["zip"]), int64(len(packed["zip"])))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range z.File {
		if f.FileInfo().IsDir() {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		fromZip[f.Name] = string(content)
	}
	if len(fromTar) < 3 || len(fromTar) != len(fromZip) {
		t.Errorf("%d files in the tar, %d in the zip", len(fromTar), len(fromZip))
	}
	for name, content := range fromTar {
		if fromZip[name] != content {
			t.Errorf("%s differs in the zip", name)
		}
	}
}

// The door is locked, opened, and locked everywhere; a token is made, used and revoked.
func TestLive_PasswordSessionsTokens(t *testing.T) {
	const password = "four words of it"
	w := newWorld(t, sources)
	d := w.serve("")
	p := newPerson(t, d.url, locale.English)
	p.follow(link, p.says("entry.password.first"))
	p.types(textbox, p.says("entry.password.new"), password)
	p.types(textbox, p.says("entry.password.again"), password)
	p.follow(button, p.says("entry.password.first"))
	p.speaks(locale.Persian)
	p.press(fold, p.says("frame.account"))
	p.follow(button, p.says("frame.logout"))
	p.reads(p.says("entry.login")) // in the language that was chosen
	p.types(textbox, p.says("entry.password"), password)
	p.follow(button, p.says("entry.enter"))
	p.press(fold, p.says("frame.account"))
	p.follow(link, p.says("entry.access"))
	p.reads(p.says("entry.present"))
	p.follow(link, p.says("entry.tokens"))
	p.types(textbox, p.says("entry.token.name"), "assistant")
	p.follow(button, p.says("entry.token.create"))
	p.reads(p.says("entry.token.once"))
	token, err := evaluate[string](p.tab, `document.querySelector("main code").textContent`)
	if err != nil {
		t.Fatal(err)
	}
	if code := uses(t, d.url, token); code == http.StatusUnauthorized {
		t.Errorf("the new token is answered %d", code)
	}
	p.follow(link, p.says("entry.revoke.named", "name", "assistant"))
	p.confirms("assistant")
	p.follow(button, p.says("entry.revoke"))
	p.reads(p.says("entry.revoked", "name", "assistant"))
	if code := uses(t, d.url, token); code != http.StatusUnauthorized {
		t.Errorf("the revoked token is answered %d", code)
	}
	p.follow(link, p.says("entry.sessions"))
	p.follow(button, p.says("entry.logout_everywhere"))
	p.reads(p.says("entry.login"))
	p.content()
	d.stop()
}

// uses asks for the jobs with a token.
func uses(t *testing.T, url, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url+"/api/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// Settings are searched, and what is told and called is tested.
func TestLive_SettingsAndTests(t *testing.T) {
	sink := sinktest.NewHTTP(t)
	w := newWorld(t, sources+"notify: {urls: ['generic+"+sink.URL+"/alarm?template=json']}\nhooks: {after_backup: touch hooked}\n")
	d := w.serve("")
	p := newPerson(t, d.url, locale.Thai)
	p.follow(link, p.says("frame.settings"))
	p.follow(button, p.says("settings.notify.test"))
	p.reads(p.says("settings.notify.sent"))
	sink.Wait(t, 1)
	p.press(fold, p.says("settings.hooks.test"))
	p.follow(button, p.says("settings.hooks.run"))
	p.reads(p.says("settings.run.ok"))
	if !w.exists("hooked") {
		t.Error("the hook was not run")
	}
	p.types(search, p.says("settings.search"), "HOLDFAST_KEEP_NOTHING")
	p.follow(button, p.says("frame.search"))
	p.reads(p.says("settings.none"))
	p.press(fold, p.says("frame.preferences"))
	p.follow(button, p.says("frame.theme_dark"))
	p.follow(link, p.says("frame.overview"))
	p.tells(t, "the theme and the language are kept", `document.documentElement.dataset.theme === "dark" && document.documentElement.lang === "th"`)
	p.content()
	d.stop()
}
