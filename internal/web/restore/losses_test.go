package restore_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/chromatest"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/source/sourcetest"
)

// What the server cannot keep is listed beside the box that accepts it, and nothing is begun
// before that is ticked.
func TestBegin_LossesAreAcceptedFirst(t *testing.T) {
	server := chromatest.Start(t, chromatest.New, t.TempDir())
	tagged := map[string]any{"tags": []string{"a", "b"}, "page": 1}
	client := server.Client()
	notes, err := client.Create(t.Context(), chromatest.CollectionSpec{Name: "notes"})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Add(t.Context(), notes.ID, []chromatest.Record{{ID: "n1", Document: new("text"), Metadata: tagged, Embedding: []float32{1, 2, 3}}}); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	w.serves(server.URL())
	w.Backup("monday")
	if err := client.Delete(t.Context(), notes.ID, []string{"n1"}); err != nil {
		t.Fatal(err)
	}
	w.serves(chromatest.NewV1(t, server.URL()).URL) // the same server, as an older one would answer

	here := contents.RestorePath("monday", "rag", "default_tenant/default_database/notes", "n1")
	page := w.get(here+"&show=true").want(http.StatusOK, "The server cannot keep everything in this backup", "arrays", "Restore now").
		without("This cannot be restored as things are")
	if _, ticked, _ := page.input("accept_losses", "true"); ticked {
		t.Error("the losses are accepted by themselves")
	}
	sent := url.Values{"source": {"rag"}, "table": {"default_tenant/default_database/notes"}, "row": {"n1"}, "confirm": {"monday"}, "key": {"k1"}}
	refused := w.post("/backups/monday/restore", sent).
		want(http.StatusUnprocessableEntity, "notes", "would come back. Tick this", `aria-invalid="true"`, "arrays")
	if key, _, _ := refused.input("key", ""); key != "k1" {
		t.Errorf("the key is %q now", key)
	}
	if _, _, n := w.Core().Jobs.List(job.Filter{Kind: operation.KindRestore}, job.Page{}); n != 0 {
		t.Errorf("%d restores were begun", n)
	}
	sent.Set("accept_losses", "true")
	sent.Set("confirm", "tuesday")
	if _, ticked, _ := w.post("/backups/monday/restore", sent).want(http.StatusUnprocessableEntity, "This is not the name").input("accept_losses", "true"); !ticked {
		t.Error("a wrong name takes the tick away")
	}
	sent.Set("confirm", "monday")
	if j := w.job(w.post("/backups/monday/restore", sent)); j.State != job.Incomplete {
		t.Fatalf("accepted: %s %v %s", j.State, j.Error, j.Result)
	}
	back, err := client.Get(t.Context(), notes.ID, []string{"n1"})
	if err != nil || len(back) != 1 || back[0].Metadata["tags"] != nil || back[0].Metadata["page"] == nil {
		t.Errorf("the record is %+v: %v", back, err)
	}
}

// What only the restore itself finds, as rows that would refer to nothing, is accepted among
// the options; whole sources have nothing of the kind.
func TestRestore_ARowThatWouldReferToNothing(t *testing.T) {
	w := newWorld(t)
	sourcetest.SQLite(t, w.database("bot"), "CREATE TABLE reply(id INTEGER PRIMARY KEY, note REFERENCES note(id)); INSERT INTO reply VALUES(1, 1);")
	w.Backup("monday")
	sourcetest.SQLite(t, w.database("bot"), "DELETE FROM reply; DELETE FROM note;")
	w.get("/backups/monday/restore").want(http.StatusOK).without("accept_losses")
	w.get(contents.RestorePath("monday", "bot", "reply", "1")).want(http.StatusOK, "Restore although something would be lost")
	sent := url.Values{"source": {"bot"}, "table": {"reply"}, "row": {"1"}, "confirm": {"monday"}, "key": {"k1"}}
	if j := w.job(w.post("/backups/monday/restore", sent)); j.State != job.Failed || j.Error == nil || j.Error.Cause != holdfast.CauseLosses {
		t.Errorf("%s %+v", j.State, j.Error)
	}
	sent.Set("key", "k2")
	sent.Set("accept_losses", "true")
	j := w.job(w.post("/backups/monday/restore", sent))
	if n := sourcetest.SQLiteInt(t, w.database("bot"), "SELECT count(*) FROM reply;"); j.State != job.Succeeded || n != 1 {
		t.Errorf("%s %+v: %d replies", j.State, j.Error, n)
	}
}

// serves configures a Chroma server at an address alone, from now on.
func (w *world) serves(address string) {
	w.T.Helper()
	s, err := config.AdHocServer("chroma-url", "rag="+address)
	if err != nil {
		w.T.Fatal(err)
	}
	c := *w.Config
	c.Sources = []config.Source{s}
	w.Config = &c
	w.Start()
}
