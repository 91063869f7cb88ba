package supervise

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/probe"
	"github.com/holdfast-backup/holdfast/internal/startup"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

// While its storage cannot hold it, a SQLite database lies as a file in a folder
// in memory: a program in another process cannot share a database that has no
// file. The folder is named after the path of the database, so that the next
// start finds what a crash left in it. Other kinds of source are not moved: a
// server is told its directory by its own arguments.

const (
	lookHome = 15 * time.Second // between two looks whether the storage works again
	sayAgain = 3 * time.Minute  // between two reminders
)

// leaveHome lets the data of a source lie in memory, loaded with the newest state
// that there is.
func (s *supervisor) leaveHome(ctx context.Context, p *place, why string) error {
	if p.conf.Kind != holdfast.KindSQLite {
		return &holdfast.Error{
			Op: "start", Object: p.conf.Name, Err: holdfast.Kindf(holdfast.ErrRefused, "its storage cannot hold it: %s", why),
			Hint: "make " + folderOf(p.home) + " usable; only a SQLite database can lie in memory meanwhile",
		}
	}
	folder, err := s.refuge(ctx, p)
	if err != nil {
		return &holdfast.Error{
			Op: "start", Object: p.conf.Name, Err: fmt.Errorf("its storage cannot hold it: %s; nor can memory: %w", why, err),
			Hint: "make " + folderOf(p.home) + " usable",
		}
	}
	conf := p.conf
	conf.Path = filepath.Join(folder, filepath.Base(p.conf.Path))
	away, err := wire.Source(conf)
	if err != nil {
		return err
	}
	if p.shared, err = shareRefuge(folder); err != nil {
		return err
	}
	since := holdfast.At(s.Now())
	p.mu.Lock()
	p.away = away
	p.stand.At, p.stand.DegradedSince, p.stand.Reason = conf.Path, &since, why
	p.mu.Unlock()
	s.keeper.SetSources(s.sources()) // what is restored goes there
	if err := s.load(ctx, p, away); err != nil {
		return err
	}
	s.remind(p)
	return nil
}

// load fills the file in memory: what a crash left there is newest, unless the original
// was written to since; then the original if a sound copy of it can be had, then the
// newest backup. Looking at the original does not tell that: where nothing can be written
// SQLite cannot open a database in WAL mode, which can be read all the same.
func (s *supervisor) load(ctx context.Context, p *place, away holdfast.Source) error {
	folder := filepath.Dir(away.Target().Path)
	goesOn := startup.Examine(ctx, away, startup.ExamineOptions{}).Usable()
	if info, err := os.Stat(p.conf.Path); err == nil && info.Size() > 0 && (!goesOn || writtenSince(p.conf.Path, folder, away.Target().Path)) {
		if goesOn {
			goesOn, err = s.replaceLeft(ctx, p, away)
		} else {
			err = s.copyTo(ctx, p.home, away)
		}
		switch {
		case err == nil && goesOn: // by another instance, too
		case err == nil:
			s.tell("%s: loaded into memory from %s", p.conf.Name, p.conf.Path)
		case ctx.Err() != nil:
			return err
		default:
			instead := "the newest backup is taken"
			if goesOn {
				instead = "what an earlier run left in memory is taken"
			}
			s.warn(holdfast.Problem{
				Source: p.conf.Name, Object: p.conf.Path, Severity: holdfast.Warning,
				Message: fmt.Sprintf("what lies there cannot be used, so %s: %v", instead, err), Hint: holdfast.HintOf(err),
			})
		}
	}
	if err := s.startUp(ctx, p, away); err != nil || goesOn {
		return err
	}
	if err := noteDeparture(p.conf.Path, folder); err != nil {
		return &holdfast.Error{Op: "start", Object: p.conf.Name, Err: err}
	}
	return nil
}

// replaceLeft lets the original take the place of what a crash left in memory, which is
// set aside. It stays where another instance works with it, or the original cannot be had.
func (s *supervisor) replaceLeft(ctx context.Context, p *place, away holdfast.Source) (stays bool, err error) {
	if only, err := alone(p.shared); err != nil || !only {
		return true, err
	}
	defer func() { err = errors.Join(err, shareAgain(p.shared)) }()
	folder := filepath.Dir(away.Target().Path)
	aside := folder + s.Now().UTC().Format(".left-20060102_150405.000000000")
	if err := os.Rename(folder, aside); err != nil {
		return true, err
	}
	err = os.Mkdir(folder, 0o700)
	if err == nil {
		err = s.copyTo(ctx, p.home, away)
	}
	if err != nil {
		return true, errors.Join(err, os.RemoveAll(folder), os.Rename(aside, folder))
	}
	s.warn(holdfast.Problem{
		Source: p.conf.Name, Object: aside, Severity: holdfast.Warning,
		Message: "an earlier run left a database in memory, and " + p.conf.Path + " was written to since, so it was set aside",
		Hint:    "look whether anything in it is missed, then remove it",
	})
	return false, nil
}

// copyTo puts the content of one database in the place of another.
func (s *supervisor) copyTo(ctx context.Context, from, to holdfast.Source) error {
	aside, err := startup.Place(ctx, osFS, to.Target().Path, to.Target().Companions,
		func(ctx context.Context, stage string) error {
			return copyDatabase(ctx, from, stage, modeOf(to.Target().Path, from.Target().Path))
		},
		func(ctx context.Context, stage string) error { return soundAt(ctx, stage) })
	if err != nil {
		return &holdfast.Error{Op: "copy " + from.Target().Path + " to", Object: to.Target().Path, Err: err}
	}
	for _, path := range aside {
		s.warn(holdfast.Problem{
			Source: to.Name(), Object: path, Severity: holdfast.Warning,
			Message: "this is what lay at " + to.Target().Path + " before; it was set aside", Hint: "remove it when nothing in it is missed",
		})
	}
	return nil
}

// modeOf gives the permissions of the first of the files that exists.
func modeOf(paths ...string) fs.FileMode {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil {
			return info.Mode().Perm()
		}
	}
	return 0o600
}

// soundAt lets nothing take the place of a database that would not open.
func soundAt(ctx context.Context, path string) error {
	source, err := wire.Source(config.Source{Name: "copy", Kind: holdfast.KindSQLite, Path: path})
	if err != nil {
		return err
	}
	if c := startup.Examine(ctx, source, startup.ExamineOptions{}); !c.Usable() {
		return holdfast.Kindf(holdfast.ErrDamaged, "the copy is not sound: %s", c.Words)
	}
	return nil
}

// bringBack settles what an earlier life left in memory, now that the storage
// works: it comes home, unless that was written to since.
func (s *supervisor) bringBack(ctx context.Context, p *place) error {
	if p.conf.Kind != holdfast.KindSQLite {
		return nil
	}
	for _, base := range refugeBases() {
		above, err := refugeAbove(base)
		if err != nil {
			continue // there is none of ours
		}
		folder := filepath.Join(above, refugeName(p.conf.Path))
		conf := p.conf
		conf.Path = filepath.Join(folder, filepath.Base(p.conf.Path))
		if owned(folder) != nil {
			continue
		}
		left, err := wire.Source(conf)
		if err != nil {
			return err
		}
		if !startup.Examine(ctx, left, startup.ExamineOptions{}).Usable() {
			continue
		}
		lock := flock.New(folder+lockSuffix, flock.SetPermissions(0o600))
		if alone, err := alone(lock); err != nil || !alone {
			return &holdfast.Error{
				Op: "start", Object: p.conf.Name, Err: holdfast.Kindf(holdfast.ErrLocked, "another instance works with its data in memory (%s)", conf.Path),
				Hint: "stop that one, or wait until it has brought the data back",
			}
		}
		defer lock.Close()
		if writtenSince(p.conf.Path, folder, conf.Path) {
			s.warn(holdfast.Problem{
				Source: p.conf.Name, Object: conf.Path, Severity: holdfast.Warning,
				Message: "an earlier run left this database in memory, and " + p.conf.Path + " was written to since, so it was not brought back",
				Hint:    "look whether anything in it is missed, then remove " + folder,
			})
			continue
		}
		if err := s.copyTo(ctx, left, p.home); err != nil {
			return err
		}
		s.tell("%s: what an earlier run left in memory was brought back to %s", p.conf.Name, p.conf.Path)
		return dropRefuge(folder)
	}
	return nil
}

// remind says that a source lies in memory.
func (s *supervisor) remind(p *place) {
	st := p.standing()
	problem := holdfast.Problem{
		Source: p.conf.Name, Object: p.conf.Path, Severity: holdfast.Incomplete,
		Message: fmt.Sprintf("DEGRADED since %s: the storage cannot hold the database, so it lies %s (%s): %s", st.DegradedSince.UTC().Format(time.RFC3339), meanwhile(st.At), st.At, st.Reason),
		Hint:    "make " + filepath.Dir(p.conf.Path) + " usable; the database then returns by itself",
	}
	s.board.problem("storage "+p.conf.Name, problem, func(holdfast.Problem) {})
	s.warn(problem)
}

// watchHome brings sources back whose storage works again, until ctx ends.
func (s *supervisor) watchHome(ctx context.Context) {
	look, say := time.NewTicker(lookHome), time.NewTicker(sayAgain)
	defer look.Stop()
	defer say.Stop()
	for s.degraded() {
		select {
		case <-ctx.Done():
			return
		case <-say.C:
			for _, p := range s.places {
				if p.isAway() {
					s.remind(p)
				}
			}
		case <-look.C:
			s.tryHome(ctx)
		}
	}
}

// degraded tells whether any source lies in memory.
func (s *supervisor) degraded() bool {
	for _, p := range s.places {
		if p.isAway() {
			return true
		}
	}
	return false
}

// tryHome brings back what can be brought back, with the program stopped.
func (s *supervisor) tryHome(ctx context.Context) {
	for _, p := range s.places {
		if !p.isAway() || time.Now().Before(p.notBefore) {
			continue
		}
		folder := folderOf(p.home)
		_ = os.MkdirAll(folder, 0o700) // if that fails, so does the look
		if probe.Quick(ctx, folder, 0) != nil {
			continue
		}
		if s.probe(ctx, p); whyUnusable(p.standing().Storage) != "" {
			continue
		}
		if err := s.takeTurn(ctx); err != nil {
			return
		}
		if err := s.goHome(ctx, p); err != nil {
			p.notBefore = time.Now().Add(sayAgain) // each try may stop the program
			s.board.problem("return "+p.conf.Name, holdfast.Problem{
				Source: p.conf.Name, Object: p.conf.Path, Severity: holdfast.Incomplete,
				Message: fmt.Sprintf("the storage works again, but the database could not be brought back: %v", err), Hint: holdfast.HintOf(err),
			}, s.warn)
		}
		s.giveTurn()
	}
}

// goHome stops the program, brings its database back, and starts it there. The
// caller has the turn.
func (s *supervisor) goHome(ctx context.Context, p *place) error {
	if s.program.Held() {
		return holdfast.Kindf(holdfast.ErrLocked, "a restore is not settled yet")
	}
	if alone, err := alone(p.shared); err != nil || !alone {
		return errors.Join(holdfast.Kindf(holdfast.ErrLocked, "another instance works with the data in memory, too"), err)
	}
	s.tell("%s: the storage works again; the program is stopped while the database is brought back", p.conf.Name)
	s.board.set(holdfast.StandingRestoring, "The storage works again: the database is being brought back.")
	if err := s.program.Hold(ctx, s.grace()); err != nil {
		return err
	}
	if err := s.copyTo(ctx, p.source(), p.home); err != nil {
		return errors.Join(err, s.release(ctx))
	}
	s.arrive(ctx, p)
	_ = s.release(ctx) // that the program does not start or answer is told as that
	return nil
}

// arrive notes that a source lies where it belongs again.
func (s *supervisor) arrive(ctx context.Context, p *place) {
	folder := filepath.Dir(p.path())
	p.mu.Lock()
	p.away = nil
	p.stand.At, p.stand.DegradedSince, p.stand.Reason = "", nil, ""
	p.mu.Unlock()
	s.keeper.SetSources(s.sources())
	s.board.solved("storage " + p.conf.Name)
	s.board.solved("return " + p.conf.Name)
	if err := errors.Join(dropRefuge(folder), p.shared.Close()); err != nil {
		s.Logger.Warn("what lay in memory could not be removed", "dir", folder, "error", err)
	}
	if p == s.places[0] {
		_, err := s.presence().Holds() // the marker begins where it can be kept
		s.judgeMarker(err)
		s.compareMarker(ctx)
	}
	s.tell("%s: the database is back at %s", p.conf.Name, p.conf.Path)
}

// clear removes what lies in memory at the end, once a backup has all of it.
func (p *place) clear(saved bool) error {
	if !p.isAway() {
		return nil
	}
	defer p.shared.Close()
	path := p.path()
	if alone, err := alone(p.shared); err != nil || !alone {
		return err // the other instance clears it away
	}
	if _, err := os.Lstat(path); !saved && !errors.Is(err, fs.ErrNotExist) {
		return &holdfast.Error{
			Op: "leave", Object: path, Err: errors.New("it is in memory, and no backup holds all of it"),
			Hint: "the next start brings it back, unless the machine or container ends first",
		}
	}
	return dropRefuge(filepath.Dir(path))
}
