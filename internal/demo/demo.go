// Package demo shows the main job on data of its own: it makes a bot's SQLite
// database and a Chroma directory, backs them up, damages them, restores them
// and proves the result. Every step runs the real command that it shows, so
// the reader can type the same for data of their own.
//
// Start from [Run].
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Where the demo's data lies below its directory, as in the manuals.
const (
	chromaDir  = "data/chromadb"
	repository = "data/chromadb_backup"
	botFile    = "bot_database.db"
	memory     = "enhanced_rag_memory"
)

// A Command runs holdfast with arguments in the present directory, its output
// going to the reader, and gives the exit code.
type Command func(args ...string) int

// Run makes data in dir and takes the reader through backup, damage, restore
// and proof. The working directory is dir while it runs.
func Run(ctx context.Context, out io.Writer, dir string, holdfast Command) (err error) {
	back, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := os.Chdir(dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Chdir(back)) }()
	t := &tour{ctx: ctx, out: out, holdfast: holdfast}
	for _, step := range []func(){t.data, t.backup, t.proof, t.disaster, t.restore, t.compare, t.flip, t.yours} {
		if t.err == nil {
			t.err = ctx.Err()
		}
		if t.err != nil {
			return t.err
		}
		step()
	}
	return t.err
}

// A tour is one run of the demo.
type tour struct {
	ctx      context.Context
	out      io.Writer
	holdfast Command
	step     int
	before   map[string]string // sums of the data when it was whole
	err      error
}

func (t *tour) say(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.out, format+"\n", args...)
	}
}

func (t *tour) head(title string) {
	t.step++
	t.say("\n%d. %s\n", t.step, title)
}

// do keeps the first failure of something that the demo itself does.
func (t *tour) do(err error) {
	if t.err == nil && err != nil {
		t.err = &holdfast.Error{Op: "demo", Object: fmt.Sprintf("step %d", t.step), Err: err}
	}
}

// sources are the flags that name the demo's data.
var sources = []string{"--chroma", chromaDir, "--memory-collection", memory, "--sqlite", "bot=" + botFile}

// run shows a command and runs it; its exit code must be want.
func (t *tour) run(want int, args ...string) {
	t.say("$ holdfast %s", strings.Join(args, " "))
	if t.err != nil {
		return
	}
	if code := t.holdfast(args...); code != want {
		t.do(fmt.Errorf("holdfast %s: exit %d, expected %d", strings.Join(args, " "), code, want))
	}
}

func (t *tour) with(args ...string) []string { return append(slices.Clone(sources), args...) }

func (t *tour) data() {
	t.head("Some data")
	t.do(makeData(t.ctx))
	sums, err := sums()
	t.do(err)
	t.before = sums
	t.say("   %s: a bot's SQLite database in WAL mode, %d messages", botFile, messages)
	t.say("   %s: a Chroma directory made by a real server, with the assistant's memory %q", chromaDir, memory)
}

func (t *tour) backup() {
	t.head("Back it up. Both sources together, while their owners may go on writing")
	t.run(holdfast.ExitDone, t.with("backup", "--name", "before_upload")...)
	t.say("\n   A backup is a folder that people can read:")
	names, err := filepath.Glob(filepath.Join(repository, "before_upload", "*"))
	t.do(err)
	for _, n := range names {
		t.say("     %s", filepath.ToSlash(n))
	}
}

func (t *tour) proof() {
	t.head("Prove it. Every byte is read, then each database is checked as its owner would")
	t.run(holdfast.ExitDone, t.with("verify", "latest")...)
}

func (t *tour) disaster() {
	t.head("Now the disaster: pages of the database are zeroed, one index file is cut off, another is gone")
	t.do(damage())
	t.say("   holdfast sees it when it backs this up. The backup is made all the same, and marked (exit code 3):")
	t.run(holdfast.ExitIncomplete, t.with("backup", "--name", "after_the_crash")...)
}

func (t *tour) restore() {
	t.head("Look first what a restore would change, then do it. The present state is backed up before it is touched")
	t.run(holdfast.ExitDone, t.with("restore", "before_upload", "--dry-run")...)
	t.say("")
	t.run(holdfast.ExitDone, t.with("--yes", "restore", "before_upload")...)
}

func (t *tour) compare() {
	t.head("Is it really the same? The SHA-256 of every file, before the disaster and now")
	now, err := sums()
	t.do(err)
	for _, name := range slices.Sorted(maps.Keys(t.before)) {
		verdict := "identical"
		if now[name] != t.before[name] {
			verdict = "DIFFERENT"
			t.do(fmt.Errorf("%s is not what it was", name))
		}
		t.say("   %s  %.12s…  %s", verdict, now[name], name)
	}
	t.say("\n   Had it been the wrong backup: `holdfast rollback` undoes the last restore.")
}

func (t *tour) flip() {
	t.head("And if the backup itself rots? One bit flips in a stored file")
	payloads, err := filepath.Glob(filepath.Join(repository, "before_upload", chromaDirName(), "chroma.sqlite3*"))
	if err == nil && len(payloads) != 1 {
		err = fmt.Errorf("%d payloads of chroma.sqlite3, expected one", len(payloads))
	}
	t.do(err)
	if t.err == nil {
		t.do(flipBit(payloads[0]))
	}
	t.say("   It is found, named, and never restored (exit code 12):")
	t.run(holdfast.ExitDamaged, t.with("verify", "before_upload")...)
}

func chromaDirName() string { return filepath.Base(chromaDir) }

func (t *tour) yours() {
	t.say(`
For your own data:

   holdfast --chroma ./data/chromadb --memory-collection %s backup
   holdfast --sqlite ./bot.db backup
   holdfast init        writes a configuration, so that no flags are needed
   holdfast --help      shows everything else`, memory)
}
