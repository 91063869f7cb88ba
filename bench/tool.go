//go:build linux

package main

import (
	"os/exec"
	"strings"
)

// A tool makes backups. Its scripts run in a folder of its own that holds
// nothing but what they leave there: ./repo is its repository, ./home what it
// keeps beside it. $S is the subject and $N the number of the backup.
type tool struct {
	key, label string
	needs      []string // commands that must be installed
	consistent bool     // its backups are right while somebody writes
	follows    bool     // runs beside the writer all the time: a replica, which targets do not compare with
	syncs      string   // how its result gets onto the disk

	init      string // makes an empty repository; not timed
	backup    string
	increment string // in place of backup after a change, where that differs
	grown     string // the folder with what an increment added, if not all that ./repo grew by
	restore   string // the last backup into ./restored
}

// missing names the first command that is not installed.
func (t tool) missing() string {
	for _, command := range t.needs {
		if _, err := exec.LookPath(command); err != nil {
			return command
		}
	}
	return ""
}

// Words for how a result gets onto the disk.
const (
	syncsItself = "itself"
	syncAdded   = "by a sync added"
	syncMixed   = "backup itself, restore by a sync added"
)

// tools are what s is backed up with, holdfast first.
func tools(s subject) []tool {
	const syncRestored = `; find restored -exec sync {} +`
	all := []tool{
		{
			key: ours, label: "holdfast", consistent: true, syncs: syncsItself,
			backup:  `"$H" backup --quiet --no-prune --repo repo --trigger scheduled --name b$N ` + s.source,
			restore: `"$H" restore latest --quiet --repo repo --to restored`,
		},
		{
			key: simple, label: "sqlite3 .backup, zstd -3", consistent: true, syncs: syncAdded,
			init:    `mkdir repo`,
			backup:  s.pack,
			restore: s.unpack,
		},
		{
			key: restic, label: "restic, staged", needs: []string{"restic"}, consistent: true, syncs: syncMixed,
			init:    `restic init --quiet --repository-version 2`,
			backup:  s.stage + `; restic backup --quiet --host bench stage`,
			restore: `restic restore latest --quiet --target restored` + syncRestored,
		},
		{
			key: borg, label: "borg, staged", needs: []string{"borg"}, consistent: true, syncs: syncMixed,
			init:    `borg init -e none`,
			backup:  s.stage + `; borg create ` + borgOptions + ` ::$N stage`,
			restore: `mkdir restored; cd restored; borg extract ::$N; cd ..` + syncRestored,
		},
		{
			key: restic + "-raw", label: "restic, the files as they lie", needs: []string{"restic"}, syncs: syncMixed,
			init:    `restic init --quiet --repository-version 2`,
			backup:  `restic backup --quiet --host bench "$S"`,
			restore: `restic restore latest --quiet --target restored` + syncRestored,
		},
		{
			key: borg + "-raw", label: "borg, the files as they lie", needs: []string{"borg"}, syncs: syncMixed,
			init:    `borg init -e none`,
			backup:  `borg create ` + borgOptions + ` ::$N "$S"`,
			restore: `mkdir restored; cd restored; borg extract ::$N; cd ..` + syncRestored,
		},
	}
	if s.change[0] != "change-database" {
		return all // litestream knows SQLite only
	}
	const replica = ` data.db "file://$PWD/repo" >log 2>&1`
	return append(all, tool{
		key: "litestream", label: "litestream, a replica", needs: []string{"litestream"}, consistent: true, follows: true, syncs: syncsItself,
		// It copies what a writer commits while it runs, and begins with a
		// snapshot when it starts: what it adds afterwards is its increment.
		init: `mkdir repo; cp "$S/data.db" data.db; cat >follow.sh <<'END'
sleep 4; touch mark; "$B" -make ` + strings.Join(s.change, " ") + ` data.db "$ROUND"; sleep 4
rm -rf grown; mkdir grown; find repo/ltx/0 -type f -newer mark -exec cp {} grown ';'
END`,
		backup:    `litestream replicate -once` + replica,
		increment: `litestream replicate -exec "sh -e follow.sh"` + replica,
		grown:     "grown",
		restore:   `mkdir restored; litestream restore -o restored/data.db "file://$PWD/repo" >log 2>&1`,
	})
}

// The tools that targets name.
const (
	ours   = "holdfast"
	simple = "simple"
	restic = "restic"
	borg   = "borg"
)

// borgOptions are the best for databases that borg has: pieces of a fixed size,
// as large as keeps its index small.
const borgOptions = `--compression zstd,3 --chunker-params fixed,65536`
