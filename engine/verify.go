package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// VerifyRequest chooses what to verify.
type VerifyRequest struct {
	Name string // name or latest
	Full bool   // integrity_check and foreign keys
}

// VerifyResult tells the outcome for one backup.
type VerifyResult struct {
	Backup holdfast.BackupName
	From   string // the replica whose copy it is; empty: that of the repository
	Proof  holdfast.Proof
	// Damage is what is wrong with stored bytes; SourceProblems what each
	// source's own check found in intact bytes.
	Damage []holdfast.Problem
	// StoredOnly tells that the backup is encrypted and no key was given: its
	// stored bytes were compared, but not opened, so that nothing is proven.
	StoredOnly     bool
	SourceProblems []holdfast.Problem
	Reports        map[string]holdfast.Report
}

// Verify reads every byte of a backup, runs each source's own check on it and
// records the proof. Damaged bytes are a *holdfast.DamagedError beside the
// result; a source that was damaged when it was captured matches
// ErrIncomplete. A backup that is not in the repository is verified in the
// nearest replica that has it, and its proof recorded there.
func (e *Engine) Verify(ctx context.Context, req VerifyRequest) (*VerifyResult, error) {
	r := e.start(ctx, "verify")
	info, err := e.choose(ctx, req.Name)
	if err != nil && e.elsewhere(err) {
		return e.verifyCopy(ctx, req)
	}
	if err != nil {
		return nil, err
	}
	r.backup = info.Name
	result, err := r.verify(ctx, info.Name, req.Full)
	if err != nil {
		return nil, err
	}
	if err := r.recordProof(ctx, result.Backup, result.Proof, result.err()); err != nil {
		return result, err
	}
	return result, result.err()
}

// elsewhere tells whether err says that a backup may be in replicas only: it is
// not here, or nobody can look. What is here and damaged is to be told.
func (e *Engine) elsewhere(err error) bool {
	return len(e.o.Replicas) > 0 && !errors.Is(err, holdfast.ErrDamaged) && !errors.Is(err, holdfast.ErrUsage) &&
		(e.o.Repository == nil || errors.Is(err, holdfast.ErrNotFound))
}

// verifyCopy verifies the nearest copy of a backup in a replica.
func (e *Engine) verifyCopy(ctx context.Context, req VerifyRequest) (*VerifyResult, error) {
	f, err := e.find(ctx, req.Name, nil)
	if err != nil {
		return nil, err
	}
	result, err := e.over(f.at, f.replica).Verify(ctx, VerifyRequest{Name: string(f.info.Name), Full: req.Full})
	if result != nil {
		result.From = f.from
	}
	return result, err
}

// err is the outcome as an error.
func (v *VerifyResult) err() error {
	if len(v.Damage) > 0 {
		return &holdfast.Error{Op: "verify", Object: string(v.Backup), Err: &holdfast.DamagedError{Backup: v.Backup, Problems: v.Damage}, Hint: "restore another backup; `holdfast list` shows which are proven"}
	}
	for _, p := range v.SourceProblems {
		if p.Severity != holdfast.Warning {
			return &holdfast.Error{Op: "verify", Object: string(v.Backup), Err: holdfast.Kindf(holdfast.ErrIncomplete, "every stored byte is intact, but %s", describe(p)), Hint: p.Hint}
		}
	}
	return nil
}

// describe gives a problem in one line.
func describe(p holdfast.Problem) string {
	s := p.Message
	if p.Object != "" {
		s = p.Object + ": " + s
	}
	if p.Source != "" {
		s = p.Source + ": " + s
	}
	return s
}

// verify checks bytes and sources of one backup and makes the proof, without
// recording it. It holds no lock while it reads: what goes with a backup that is
// deleted meanwhile is no damage.
func (r *run) verify(ctx context.Context, name holdfast.BackupName, full bool) (*VerifyResult, error) {
	v, err := r.examine(ctx, name, full)
	if ctx.Err() == nil && (err != nil || len(v.Damage) > 0 || len(v.SourceProblems) > 0) {
		if _, gone := r.e.o.Repository.Stat(ctx, string(name)); errors.Is(gone, holdfast.ErrNotFound) {
			return nil, &holdfast.Error{Op: "verify", Object: string(name), Err: holdfast.Kindf(holdfast.ErrNotFound, "it was deleted meanwhile")}
		}
	}
	return v, err
}

// examine is verify of a backup that stays.
func (r *run) examine(ctx context.Context, name holdfast.BackupName, full bool) (*VerifyResult, error) {
	begun := r.e.o.Now()
	b, err := r.e.o.Repository.Backup(ctx, name)
	if errors.Is(err, repo.ErrNoKey) {
		return r.examineStored(ctx, name, begun)
	}
	if err != nil {
		if damaged, ok := damage(err); ok {
			v := &VerifyResult{Backup: name, Damage: damaged, Reports: map[string]holdfast.Report{}}
			v.Proof = r.proof(v, begun, 0)
			return v, nil
		}
		return nil, err
	}
	defer b.Close()
	b.Until(ctx)
	v := &VerifyResult{Backup: name, Reports: map[string]holdfast.Report{}}
	err = r.step(ctx, holdfast.StepVerify, func(ctx context.Context) (string, error) {
		tell := r.progress(holdfast.StepVerify, "")
		v.Damage, err = b.Verify(ctx, func(done, total int64) { tell("", done, total) })
		if err != nil {
			return "", err
		}
		if n := len(v.Damage); n > 0 {
			return fmt.Sprintf("%d damaged", n), nil
		}
		return humanize.IBytes(uint64(b.Metadata().StoredBytes)) + " as recorded", nil
	})
	if err != nil {
		return nil, err
	}
	for _, md := range b.Metadata().Sources {
		if err := r.checkSource(ctx, b, md, full, v); err != nil {
			return nil, err
		}
	}
	v.Proof = r.proof(v, begun, b.Metadata().LogicalBytes)
	return v, nil
}

// examineStored is examine of a backup that nobody here can open: only the
// stored bytes are compared.
func (r *run) examineStored(ctx context.Context, name holdfast.BackupName, begun time.Time) (*VerifyResult, error) {
	v := &VerifyResult{Backup: name, StoredOnly: true, Reports: map[string]holdfast.Report{}}
	var read int64
	err := r.step(ctx, holdfast.StepVerify, func(ctx context.Context) (_ string, err error) {
		tell := r.progress(holdfast.StepVerify, "")
		v.Damage, err = r.e.o.Repository.VerifyStored(ctx, name, func(done, total int64) { read = done; tell("", done, total) })
		switch n := len(v.Damage); {
		case err != nil:
			return "", err
		case n > 0:
			return fmt.Sprintf("%d damaged", n), nil
		}
		return humanize.IBytes(uint64(read)) + " as recorded, not opened: encrypted, and no key was given", nil
	})
	if err != nil {
		return nil, err
	}
	v.Proof = r.proof(v, begun, read)
	return v, nil
}

// checkSource opens one source of a backup as its owner would.
func (r *run) checkSource(ctx context.Context, b *repo.Backup, md holdfast.SourceMetadata, full bool, v *VerifyResult) error {
	return r.stepOf(ctx, holdfast.StepCheck, md.Name, func(ctx context.Context) (string, error) {
		checker := r.e.checker(md)
		if checker == nil {
			v.SourceProblems = append(v.SourceProblems, r.problem(holdfast.Problem{Source: md.Name, Severity: holdfast.Incomplete, Message: fmt.Sprintf("nothing here can check a source of kind %s; only its bytes were verified", md.Kind)}))
			return "only bytes", nil
		}
		if n := damagedIn(md.Name, v.Damage); n > 0 {
			// What its owner would make of it tells nothing new.
			return fmt.Sprintf("left out: %s damaged", count(n, "file of it is", "files of it are")), nil
		}
		sub, err := fs.Sub(b, md.Name)
		if err != nil {
			return "", err
		}
		report, err := checker.Check(ctx, sub, holdfast.CheckOptions{Full: full})
		if err != nil {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			report.Problems = append(report.Problems, holdfast.Problem{Severity: holdfast.Incomplete, Message: "the check could not be made: " + err.Error()})
		}
		v.Reports[md.Name] = report
		for _, p := range named(md.Name, report.Problems) {
			v.SourceProblems = append(v.SourceProblems, r.problem(p))
		}
		return count(len(report.Problems), "problem", "problems"), nil
	})
}

// damagedIn counts the damaged files of one source.
func damagedIn(source string, damage []holdfast.Problem) (n int) {
	for _, p := range damage {
		if strings.HasPrefix(p.Object, source+"/") {
			n++
		}
	}
	return n
}

// proof sums a verification up.
func (r *run) proof(v *VerifyResult, begun time.Time, bytes int64) holdfast.Proof {
	now := r.e.o.Now()
	p := holdfast.Proof{At: holdfast.At(now), Kind: holdfast.ProofVerify, Bytes: bytes, DurationMS: now.Sub(begun).Milliseconds()}
	if v.StoredOnly {
		p.Kind = holdfast.ProofStored
	}
	p.OK = v.err() == nil
	const most = 20 // beside the backup; the result itself names all
	p.Problems = slices.Concat(v.Damage, v.SourceProblems)
	p.Problems = p.Problems[:min(len(p.Problems), most)]
	return p
}

// The bounds of how long a proof waits for another writer to be done.
const (
	leastProofWait = 10 * time.Second
	mostProofWait  = time.Hour
)

// proofWait is how long a proof is worth waiting with for another writer: as long as it
// took, for that is what the next one costs. A writer may be at work for long, with the
// command that precedes a backup, say.
func proofWait(p holdfast.Proof) time.Duration {
	return min(max(time.Duration(p.DurationMS)*time.Millisecond, leastProofWait), mostProofWait)
}

// recordProof records a proof under the lease, which the long reading before
// did without. Outcome is what the proof says, as an error.
func (r *run) recordProof(ctx context.Context, backup holdfast.BackupName, p holdfast.Proof, outcome error) error {
	write := func(ctx context.Context) error {
		return r.e.o.Repository.AddProof(ctx, backup, p)
	}
	deadline := time.Now().Add(proofWait(p))
	for {
		err := r.underLease(ctx, r.e.o.Repository.Lock, write)
		if !errors.Is(err, holdfast.ErrLocked) || time.Now().After(deadline) {
			if err != nil {
				return errors.Join(outcome, &holdfast.Error{Op: "record the proof of", Object: string(backup), Err: err, Hint: "the " + r.op + " is complete; only its record is missing"})
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// damage gives the problems of a damaged backup, and false if err is about
// something else.
func damage(err error) ([]holdfast.Problem, bool) {
	if d, ok := errors.AsType[*holdfast.DamagedError](err); ok && len(d.Problems) > 0 {
		return d.Problems, true
	}
	if errors.Is(err, holdfast.ErrDamaged) {
		return []holdfast.Problem{{Severity: holdfast.Damaged, Message: err.Error()}}, true
	}
	return nil, false
}
