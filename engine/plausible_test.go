package engine

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

// seedJournal is one that a restore writes: a database, a directory, and one that is
// swapped in place with an earlier aside.
func seedJournal() *journal {
	file := &replacement{
		Source: "bot", Path: "/data/bot.db", File: "bot.db", Companions: []string{"-wal", "-shm", "-journal"}, Method: methodRename,
		Stage: "/data/.holdfast-stage-1", Aside: "/data/bot.db.before-20261103_140000",
		Out:      []move{{"/data/bot.db", "/data/bot.db.before-20261103_140000"}, {"/data/bot.db-wal", "/data/bot.db.before-20261103_140000-wal"}},
		In:       []move{{"/data/.holdfast-stage-1/bot.db", "/data/bot.db"}},
		MadeDirs: []string{"/data"},
	}
	tree := &replacement{
		Source: "files", Path: "/srv/files", Dir: true, Method: methodRename, Stage: "/srv/.holdfast-stage-2", Aside: "/srv/files.before-20261103_140000",
		Out: []move{{"/srv/files", "/srv/files.before-20261103_140000"}}, In: []move{{"/srv/.holdfast-stage-2", "/srv/files"}},
	}
	place := &replacement{
		Source: "chromadb", Path: "/vol", Dir: true, Method: methodInPlace, Aside: "/vol/vol.before-20261103_140000-2",
		Out: []move{{"/vol/a", "/vol/vol.before-20261103_140000-2/a"}}, In: []move{{"/vol/vol.before-20261103_140000/a", "/vol/a"}},
	}
	return &journal{Version: journalVersion, Op: opRestore, Phase: phasePlaced, Targets: []*replacement{file, tree, place}}
}

func TestPlausible_WhatARestoreWrites(t *testing.T) {
	if err := seedJournal().plausible(); err != nil {
		t.Error(err)
	}
	last := &lastRestore{Targets: []lastTarget{{Path: "/data/bot.db", Back: []move{
		{"/data/bot.db.before-1", "/data/bot.db"}, {"/data/bot.db.before-1-wal", "/data/bot.db-wal"},
	}}, {Path: "/srv/files"}}}
	if err := last.plausible(); err != nil {
		t.Error(err)
	}
}

// A journal that came with a repository from somewhere else must not have us
// remove or move what no restore of ours made.
func TestPlausible_RefusesOtherPeoplesFiles(t *testing.T) {
	for name, change := range map[string]func(*replacement){
		"a stage elsewhere":           func(t *replacement) { t.Stage = "/home/me" },
		"a stage of another name":     func(t *replacement) { t.Stage = "/data/photos" },
		"a stage by dots":             func(t *replacement) { t.Stage = "/data/.holdfast-stage-1/../../home" },
		"a stage that is relative":    func(t *replacement) { t.Stage = ".holdfast-stage-1" },
		"an aside elsewhere":          func(t *replacement) { t.Aside = "/home/me" },
		"an aside of another":         func(t *replacement) { t.Aside = "/data/other.db.before-1" },
		"no aside":                    func(t *replacement) { t.Aside = "" },
		"a move of another":           func(t *replacement) { t.Out[0].From = "/data/other.db" },
		"a move out to elsewhere":     func(t *replacement) { t.Out[0].To = "/home/me/.bashrc" },
		"a move in from elsewhere":    func(t *replacement) { t.In[0].From = "/etc/shadow" },
		"a move in to elsewhere":      func(t *replacement) { t.In[0].To = "/home/me/.bashrc" },
		"a move in by dots":           func(t *replacement) { t.In[0].To = "/data/bot.db/.." },
		"a move in deeper":            func(t *replacement) { t.In[0].From = "/data/.holdfast-stage-1/a/b" },
		"a companion that is a path":  func(t *replacement) { t.Companions = []string{"/../../etc/shadow"} },
		"a directory beside":          func(t *replacement) { t.MadeDirs = []string{"/home"} },
		"the target as its directory": func(t *replacement) { t.MadeDirs = []string{"/data/bot.db"} },
		"a relative target":           func(t *replacement) { t.Path = "bot.db" },
		"a target by dots":            func(t *replacement) { t.Path = "/data/x/../bot.db" },
		"the root":                    func(t *replacement) { t.Path = "/" },
		"an unknown method":           func(t *replacement) { t.Method = "by force" },
	} {
		j := seedJournal()
		change(j.Targets[0])
		if err := j.plausible(); err == nil {
			t.Errorf("%s: it is followed", name)
		}
	}
	if err := (&journal{Targets: []*replacement{nil}}).plausible(); err == nil {
		t.Error("no target at all: it is followed")
	}
	for _, m := range []move{{"/etc/shadow", "/data/bot.db"}, {"/data/bot.db.before-1", "/home/me/.bashrc"}} {
		last := &lastRestore{Targets: []lastTarget{{Path: "/data/bot.db", Back: []move{m}}}}
		if err := last.plausible(); err == nil {
			t.Errorf("%v: it is followed", m)
		}
	}
}

// Whatever a journal says, what is removed or renamed by it is the target, a
// companion, an entry of it, or has a name of ours beside or in it.
func FuzzJournal(f *testing.F) {
	seed, err := json.Marshal(seedJournal())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add([]byte(`{"targets":[{"path":"/data/bot.db","stage":"/data/..","aside":"/data/bot.db.before-"}]}`))
	f.Add([]byte(`{"targets":[null]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var j journal
		if json.Unmarshal(data, &j) != nil || j.plausible() != nil {
			return
		}
		for _, r := range j.Targets {
			paths := []string{r.Aside}
			if r.Stage != "" {
				paths = append(paths, r.Stage)
			}
			for _, m := range append(r.Out, r.In...) {
				paths = append(paths, m.From, m.To)
			}
			for _, p := range paths {
				rest, beside := strings.CutPrefix(p, filepath.Dir(r.Path))
				ours := strings.Contains(p, asideInfix) || strings.Contains(p, stagePrefix) || p == r.Path || filepath.Dir(p) == r.Path
				for _, c := range r.Companions {
					ours = ours || p == r.Path+c
				}
				if !beside || !ours || strings.Contains(rest, "/../") || strings.HasSuffix(rest, "/..") {
					t.Errorf("%q of %q is touched", p, r.Path)
				}
			}
		}
	})
}
