package browser

import (
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// A record that was deleted is found in a backup and comes back alone, into the server that
// goes on; then nothing differs, until it is rolled back. So does a row of a database.
func TestInside_OneIsFoundAndComesBackAlone(t *testing.T) {
	w := newWorld(t, "")
	server := w.chroma(false)
	w.configure("sources:\n  rag: {type: chroma, url: " + server.URL() + "}\n  bot: {type: sqlite, path: bot.db}\n")
	w.run("backup", "--name", "friday")
	documents, err := server.Client().Collection(t.Context(), "documents")
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Client().Delete(t.Context(), documents.ID, []string{"7"}); err != nil {
		t.Fatal(err)
	}
	d := w.serve("")
	for _, lang := range []locale.Lang{locale.Persian, locale.English} {
		p := newPerson(t, d.url, lang)
		p.goes("/backups/friday")
		p.follow(link, p.says("details.look"))
		p.follow(link, "documents")
		p.reads("document 3")
		p.follow(link, "3")
		p.reads(p.l.N("contents.numbers", 4))
		p.content()
	}
	p := newPerson(t, d.url, locale.English)
	p.goes("/backups/friday/contents")
	p.types(search, p.says("contents.search"), "DOCUMENT 7")
	p.follow(button, p.says("frame.search"))
	p.reads(p.l.N("contents.search.found", 1))
	p.follow(link, p.says("contents.restore_row")+": 7")
	p.reads(p.says("restore.fact.server"))
	p.reads(p.l.N("restore.change.more", 1))
	p.confirms("friday")
	p.follow(button, p.says("restore.begin"))
	p.reads(p.says("jobs.restore_part", "name", "friday"))
	p.reads(p.says("jobs.fact_changed", "name", "rag"))
	back, err := server.Client().Get(t.Context(), documents.ID, []string{"7"})
	if err != nil || len(back) != 1 || back[0].Document == nil || *back[0].Document != "document 7" {
		t.Errorf("the record is %+v: %v", back, err)
	}
	p.goes("/backups/friday/compare")
	p.chooses(p.says("compare.with"), p.says("compare.live"))
	p.follow(button, p.says("compare.begin"))
	p.reads(p.says("compare.same"))
	p.rollsBack("friday", "documents", "7")
	if back, err := server.Client().Get(t.Context(), documents.ID, []string{"7"}); err != nil || len(back) != 0 {
		t.Errorf("the record is still there: %+v, %v", back, err)
	}

	w.sqlite("DELETE FROM guests WHERE name = 'Ada'")
	p.speaks(locale.Thai)
	p.goes("/backups/friday/contents")
	p.follow(link, "guests")
	p.follow(link, "3")
	p.reads("Ada")
	p.follow(link, p.says("contents.restore_row"))
	p.reads(p.l.N("restore.change.more", 1))
	p.confirms("friday")
	p.follow(button, p.says("restore.begin"))
	p.reads(p.says("jobs.restore_part", "name", "friday"))
	if n := w.guests(); n != "3" {
		t.Errorf("%s guests after the restore", n)
	}
	p.rollsBack("friday", "guests", "3")
	if n := w.guests(); n != "2" {
		t.Errorf("%s guests after the rollback", n)
	}
	p.content()
	d.stop()
}

// rollsBack undoes the restore of one row of a table, after having read that nothing else
// would change.
func (p *person) rollsBack(name, table, key string) {
	p.t.Helper()
	p.goes("/rollback")
	p.reads(table)
	p.reads(p.says("restore.single.rows") + ": " + key)
	p.reads(p.l.N("restore.change.less", 1))
	p.confirms(name)
	p.follow(button, p.says("restore.rollback.begin"))
	p.reads(p.says("jobs.rollback_good"))
}
