package browser

import (
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

// live is the configuration of a bot whose assistant has a memory.
const live = "sources:\n  bot: {type: sqlite, path: bot.db}\n  rag: {type: chroma, path: chroma, memory: {collection: conversation_memory}}\n"

// Every page is reached by the menu and links, and axe finds nothing serious in it, with
// the data of a Chroma server that is running.
func TestLive_EveryPage(t *testing.T) {
	w := newWorld(t, live)
	w.chroma(true)
	w.run("backup", "--name", "friday", "--note", "before the holidays")
	d := w.serve("")
	axe := readAxe(t)
	for _, lang := range locale.Languages() {
		t.Run(string(lang), func(t *testing.T) {
			p := newPerson(t, d.url, lang)
			look := func(what string) {
				t.Helper()
				if _, err := evaluate[bool](p.tab, axe+"; true"); err != nil {
					t.Fatal(err)
				}
				found, err := violations(p.tab, "light")
				if err != nil {
					t.Fatal(err)
				}
				for _, v := range found {
					t.Errorf("%s: %s", what, v)
				}
				p.tells(t, what+" is in the reader's language and direction", `document.documentElement.lang === "`+string(lang)+`" && document.documentElement.dir === "`+p.l.Dir()+`"`)
			}
			p.follow(link, p.says("frame.overview"))
			look("overview")
			p.follow(link, p.says("frame.backups"))
			look("backups")
			p.follow(link, p.says("backups.new"))
			look("new")
			p.follow(link, p.says("backups.back"))
			p.follow(link, "friday")
			p.reads("conversation_memory")
			look("details")
			p.follow(link, p.says("details.show_files"))
			look("files")
			p.follow(link, "friday")
			p.follow(link, p.says("details.restore"))
			p.reads(p.says("restore.refused")) // the server is running
			look("restore")
			p.follow(link, p.says("frame.activity"))
			look("activity")
			p.follow(link, p.says("activity.tab.tasks"))
			look("tasks")
			p.follow(link, p.says("activity.tab.audit"))
			look("audit")
			p.follow(link, p.says("frame.settings"))
			look("settings")
			p.follow(link, p.says("settings.access"))
			look("sessions")
			p.goes("/rollback")
			look("rollback")
			if lang == locale.Persian {
				p.tells(t, "the menu begins at the right", `(() => {
					const [first, second] = document.querySelectorAll(".nav a");
					return first.getBoundingClientRect().left > second.getBoundingClientRect().left;
				})()`)
			}
			p.content()
		})
	}
	d.stop()
}
