package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// A drill is one drill at work.
type drill struct {
	*run
	req    DrillRequest
	b      *repo.Backup
	dir    string // where the copy is
	result *DrillResult
}

// drill holds the drill of one copy of a backup. An error tells that it could not be
// held; what is wrong with the data is in the result.
func (r *run) drill(ctx context.Context, f *found, req DrillRequest) (_ *DrillResult, err error) {
	r.backup = f.info.Name
	begun := r.e.o.Now()
	result := &DrillResult{Backup: f.info.Name, From: f.from, Problems: slices.Clone(f.passed)}
	r.send(holdfast.Event{Step: holdfast.StepChoose, State: holdfast.Finished, Message: f.words()})
	space, err := r.e.openScratch(forDrill, req.Dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		left := space.close()
		if left != nil && err == nil {
			result.Problems = append(result.Problems, r.problem(holdfast.Problem{Object: space.dir, Severity: holdfast.Warning, Message: "the scratch copy could not be removed: " + left.Error(), Hint: "the next drill tries again"}))
			return
		}
		err = errors.Join(err, left)
	}()
	d := &drill{run: r, req: req, dir: space.dir, result: result}
	d.b, err = f.at.Backup(ctx, f.info.Name)
	if err == nil {
		defer func() { err = errors.Join(err, d.b.Close()) }()
		d.b.Until(ctx)
		err = d.hold(ctx)
	}
	if damaged, ok := damage(err); ok && ctx.Err() == nil {
		result.Damage, err = append(result.Damage, damaged...), nil
	}
	if err != nil || ctx.Err() != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	if !result.OK() {
		if _, gone := f.at.Stat(ctx, string(f.info.Name)); errors.Is(gone, holdfast.ErrNotFound) {
			return nil, &holdfast.Error{Op: opDrill, Object: string(f.info.Name), Err: holdfast.Kindf(holdfast.ErrNotFound, "it was deleted meanwhile")}
		}
	}
	d.prove(begun)
	return result, nil
}

// hold restores the copy and looks at it from all sides. A server that is started on
// it changes it, and so comes last.
func (d *drill) hold(ctx context.Context) error {
	if err := d.restore(ctx); err != nil {
		return err
	}
	for _, md := range d.b.Metadata().Sources {
		if !filepath.IsLocal(md.Name) || strings.ContainsAny(md.Name, `/\`) {
			return &holdfast.Error{Op: "check", Object: md.Name, Err: holdfast.Kindf(holdfast.ErrDamaged, "no source has such a name")}
		}
		if err := d.check(ctx, md); err != nil {
			return err
		}
	}
	if err := d.compareMemory(ctx); err != nil {
		return err
	}
	for _, md := range d.b.Metadata().Sources {
		if err := d.rehearse(ctx, md); err != nil {
			return err
		}
	}
	return nil
}

// restore brings everything back, as `restore --to` does.
func (d *drill) restore(ctx context.Context) error {
	return d.step(ctx, holdfast.StepStage, func(ctx context.Context) (string, error) {
		begun := time.Now()
		if err := d.extractInto(ctx, d.b, []string{"."}, d.dir, holdfast.StepStage); err != nil {
			return "", err
		}
		took := time.Since(begun)
		d.result.Proof.RestoreMS = max(took.Milliseconds(), 1)
		return fmt.Sprintf("%s in %s", humanize.IBytes(uint64(d.b.Metadata().LogicalBytes)), took.Round(time.Millisecond)), nil
	})
}

// source is the restored copy of one source.
func (d *drill) source(md holdfast.SourceMetadata) (dir string, files fs.FS) {
	dir = filepath.Join(d.dir, md.Name)
	return dir, os.DirFS(dir)
}

// check opens one source as its owner would, and compares what it holds with what it
// held when it was captured.
func (d *drill) check(ctx context.Context, md holdfast.SourceMetadata) error {
	return d.stepOf(ctx, holdfast.StepCheck, md.Name, func(ctx context.Context) (string, error) {
		checker := d.e.checker(md)
		if checker == nil {
			d.result.SourceProblems = append(d.result.SourceProblems, d.problem(holdfast.Problem{Source: md.Name, Severity: holdfast.Incomplete, Message: fmt.Sprintf("nothing here can check a source of kind %s; only its bytes were restored", md.Kind)}))
			return "only bytes", nil
		}
		_, files := d.source(md)
		report, err := checker.Check(ctx, files, holdfast.CheckOptions{Full: true})
		if err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			report.Problems = append(report.Problems, holdfast.Problem{Severity: holdfast.Incomplete, Message: "the check could not be made: " + err.Error()})
		}
		for _, p := range named(md.Name, report.Problems) {
			d.result.SourceProblems = append(d.result.SourceProblems, d.problem(p))
		}
		if err == nil {
			d.compareFacts(md, report.Facts)
		}
		return count(len(report.Problems), "problem", "problems"), nil
	})
}

// rehearse has the questions answered that were recorded at the capture: by the
// files, and where there is a command, by the source's owner.
func (d *drill) rehearse(ctx context.Context, md holdfast.SourceMetadata) error {
	asker, ok := d.e.checker(md).(holdfast.Rehearser)
	if !ok {
		return nil
	}
	return d.stepOf(ctx, holdfast.StepRehearse, md.Name, func(ctx context.Context) (string, error) {
		command := d.req.Commands[md.Kind]
		questions := questionsFile(md.Name)
		switch _, err := d.b.Stat(questions); {
		case errors.Is(err, fs.ErrNotExist):
			d.tell(md.Name, "no questions were recorded when it was captured, so that its owner could not be asked", "backups that are made from now on have them")
			return "no questions", nil
		case err != nil:
			return "", err
		}
		dir, _ := d.source(md)
		ask := func(command string) error {
			q, err := os.Open(filepath.Join(d.dir, filepath.FromSlash(questions)))
			if err != nil {
				return err
			}
			answers, err := asker.Rehearse(ctx, dir, command, q)
			d.result.Compared = append(d.result.Compared, answers...)
			return errors.Join(err, q.Close())
		}
		if err := ask(""); err != nil {
			return "", &holdfast.Error{Op: "read the answers of", Object: md.Name, Err: err}
		}
		if command == "" {
			d.tell(md.Name, "no server was started on the restored copy: its answers were read from the files", "set drill.chroma_command to have a real server asked")
			return "no server was asked", nil
		}
		if err := plain(dir); err != nil {
			return "", err
		}
		if err := ask(command); err != nil {
			return "", &holdfast.Error{Op: "rehearse", Object: md.Name, Err: err}
		}
		d.result.Asked = append(d.result.Asked, md.Name)
		return "a server answered", nil
	})
}

// plain refuses a tree in which something leads out of it: a server writes to what it
// is started on.
func plain(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !e.Type().IsRegular() {
			err = &holdfast.Error{Op: "rehearse with", Object: path, Err: holdfast.Kindf(holdfast.ErrRefused, "it is no file and no directory"), Hint: "no server is started on such a copy"}
		}
		return err
	})
}

// tell adds what the drill could not do.
func (d *drill) tell(source, message, hint string) {
	d.result.Problems = append(d.result.Problems, d.problem(holdfast.Problem{Source: source, Severity: holdfast.Warning, Message: message, Hint: hint}))
}

// prove sums the drill up.
func (d *drill) prove(begun time.Time) {
	const most = 20 // beside the backup; the result itself names all
	now, p := d.e.o.Now(), &d.result.Proof
	p.At, p.Kind, p.DurationMS, p.OK = holdfast.At(now), holdfast.ProofDrill, now.Sub(begun).Milliseconds(), d.result.OK()
	if d.b != nil {
		p.Bytes = d.b.Metadata().LogicalBytes
	}
	p.Compared = summary(d.result.Compared)
	p.Problems = slices.Concat(d.result.Damage, differences(d.result.Differences()), d.result.SourceProblems, d.result.Problems)
	p.Problems = p.Problems[:min(len(p.Problems), most)]
}

// summary names what differs and some of what does not, and counts the rest.
func summary(all []holdfast.Comparison) []holdfast.Comparison {
	const most = 20
	var bad, good []holdfast.Comparison
	for _, c := range all {
		if c.OK {
			good = append(good, c)
		} else {
			bad = append(bad, c)
		}
	}
	var short []holdfast.Comparison
	for _, list := range [][]holdfast.Comparison{bad, good} {
		short = append(short, list[:min(len(list), most)]...)
		if rest := len(list) - most; rest > 0 {
			c := holdfast.Comparison{What: count(rest, "more comparison", "more comparisons"), Want: "as captured", Got: "as captured", OK: list[0].OK}
			if !c.OK {
				c.Got = "something else"
			}
			short = append(short, c)
		}
	}
	return short
}
