//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A command is one side of a contest. Its script runs in a folder that is empty
// at first; what it leaves there counts as its output.
type command struct {
	label  string
	script string
}

// A contest is two commands that do the same work; theirs is empty if nobody
// else does that work.
type contest struct {
	name         string
	ours, theirs command
}

// A result is the readings of a contest.
type result struct {
	contest
	our, their []reading
}

// measure runs both commands in turns; who begins changes with every run, since
// the first meets the memory and the disk that the turn before left.
func (c contest) measure(ctx context.Context, w *workshop, runs int) (result, error) {
	r := result{contest: c}
	sides := []side{{c.ours, &r.our}, {c.theirs, &r.their}}
	if c.theirs.script == "" {
		sides = sides[:1]
	}
	out := filepath.Join(w.dir, "out")
	for i := range runs {
		for _, s := range sides {
			if err := errors.Join(os.RemoveAll(out), os.Mkdir(out, 0o755)); err != nil {
				return r, err
			}
			took, err := w.time(ctx, posting{dir: out, counts: out}, s.script)
			if err != nil {
				return r, fmt.Errorf("%s: %w", c.name, err)
			}
			*s.readings = append(*s.readings, took)
			fmt.Fprintf(os.Stderr, "  run %d: %.2f s, %s\n", i+1, took.wall.Seconds(), s.label)
		}
		slices.Reverse(sides)
	}
	return r, os.RemoveAll(out)
}

// A side is one of the two commands of a contest and where its readings go.
type side struct {
	command
	readings *[]reading
}

// contests are single commands beside what ordinary tools do. In the scripts $H
// is holdfast, $D the folder with the subjects, $R that with what prepareStored
// makes. Every script ends with its result safe on the disk: holdfast sees to
// that itself, the others are given a sync of their files.
func contests(all []subject) []contest {
	const (
		backup  = `"$H" backup --quiet --repo repo --name b `
		restore = `"$H" restore b --quiet --to restored `
		raw     = `BACKUP_COMPRESSION=false `
	)
	var cs []contest
	for _, s := range all {
		switch s.key {
		case "database":
			asItIs := command{"holdfast backup, compression off", raw + backup + `--sqlite "$D/database/data.db"`}
			cs = append(cs,
				contest{s.title + ", backup, as it is", asItIs, command{"cp, sync", `cp "$D/database/data.db" copy; sync copy .`}},
				contest{s.title + ", backup, as it is, beside SQLite's own", asItIs, command{"sqlite3 .backup, sync", `sqlite3 "$D/database/data.db" ".backup copy"; sync copy .`}},
			)
		case "chroma":
			cs = append(cs,
				contest{
					s.title + ", backup",
					command{"holdfast backup", backup + `--chroma "$D/chroma"`},
					command{"tar, zstd -3 -T0, sync", `tar -C "$D" -cf - chroma | zstd -q -3 -T0 -o copy.tar.zst; sync copy.tar.zst .`},
				})
		}
		file := `"$R/` + s.key + `.zst"`
		theirs := command{"zstd -d, sync", `zstd -q -d ` + file + ` -o copy; sync copy .`}
		check := command{"zstd -d, sqlite3 quick_check", `zstd -q -d ` + file + ` -o copy; sqlite3 copy "PRAGMA quick_check"`}
		if s.key == "chroma" {
			theirs = command{"zstd -d, tar -x, sync", `zstd -q -d -c ` + file + ` | tar -xf -; find . -exec sync {} +`}
			check = command{}
		}
		cs = append(cs,
			contest{s.title + ", restore of a full backup", command{"holdfast restore --to", restore + `--repo "$R/` + s.key + `"`}, theirs},
			contest{s.title + ", verify", command{"holdfast verify", `"$H" verify b --quiet --repo "$R/` + s.key + `"`}, check},
		)
	}
	return cs
}

// prepareStored makes what the restores and verifications of contests read.
func (w *workshop) prepareStored(ctx context.Context, all []subject) error {
	for _, s := range all {
		fmt.Fprintf(os.Stderr, "storing the %s\n", s.title)
		pack := `zstd -q -3 -T0 "$S/data.db" -o "$R/$K.zst"`
		if s.key == "chroma" {
			pack = `tar -C "$S" -cf - . | zstd -q -3 -T0 -o "$R/$K.zst"`
		}
		script := `mkdir -p "$R"; "$H" backup --quiet --repo "$R/$K" --name b ` + s.source + `; ` + pack
		if _, err := w.output(ctx, script, "S="+w.live(s), "K="+s.key); err != nil {
			return fmt.Errorf("make the backups to restore from: %w", err)
		}
	}
	return nil
}
