package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

type verifyCmd struct {
	Name    string   `arg:"" optional:"" help:"Name of the backup, or latest (the default)."`
	All     bool     `help:"Verify every backup."`
	Full    bool     `help:"The deepest check of each source (integrity and foreign keys); slower."`
	Replica []string `sep:"none" value:"NAME|URL" help:"Verify the copies in this replica instead: a configured name, a directory, s3://… or all; repeatable."`
}

func (verifyCmd) about() about {
	return about{
		text: `Reads every stored byte and compares it with what was recorded, then lets each
source check its copy as its owner would. A backup that passes is proven, and
says when. A damaged file is named. All backups are looked at even if one is
damaged. Without a key for an encrypted backup only the stored bytes are
compared, which proves nothing of what is in them.`,
		examples: []example{
			{"holdfast verify", "prove the newest backup"},
			{"holdfast verify --all", "prove every backup"},
			{"holdfast verify --replica all", "prove the newest copy in every replica"},
			{"holdfast verify monday --full", "with the slowest, deepest checks"},
		},
		exits: []int{holdfast.ExitIncomplete, holdfast.ExitNotFound, holdfast.ExitLocked, holdfast.ExitDamaged, holdfast.ExitRefused},
	}
}

// Run verifies one backup or all, here or in replicas.
func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	if c.All && c.Name != "" {
		return usagef("leave out one of the two", "a name and --all exclude each other")
	}
	if err := a.useReplicas(c.Replica); err != nil {
		return err
	}
	return a.withCopies(ctx, func(e *engine.Engine) error {
		v := &verification{c: c, a: a, out: report.NewVerify(locationOf(e))}
		if err := c.everywhere(ctx, e, v); err != nil {
			return err
		}
		a.ui.tell(v.out, func() { c.print(a.ui, v.out) })
		if v.worst != nil {
			return &ending{holdfast.ExitCode(v.worst)}
		}
		return nil
	})
}

// everywhere verifies in the repository, or in each of the replicas that were
// asked for: one that cannot be opened does not keep the others from it.
func (c *verifyCmd) everywhere(ctx context.Context, e *engine.Engine, v *verification) error {
	if len(c.Replica) == 0 {
		return v.in(ctx, e, "")
	}
	replicas := e.Replicas()
	for _, replica := range replicas {
		on, err := e.OnReplica(ctx, replica.Name)
		if err == nil {
			err = v.in(ctx, on, replica.Name)
		}
		if err != nil && (len(replicas) == 1 || ctx.Err() != nil) {
			return err
		}
		if err != nil {
			v.add(report.VerifyItem{From: replica.Name, Error: err.Error()}, err)
		}
	}
	return nil
}

// A verification is what was found so far.
type verification struct {
	c     *verifyCmd
	a     *app
	out   report.Verify
	worst error
}

func (v *verification) add(item report.VerifyItem, err error) {
	if !item.OK {
		v.worst = report.Worse(v.worst, err)
	}
	v.out.Add(item)
}

// in verifies in one place.
func (v *verification) in(ctx context.Context, e *engine.Engine, from string) error {
	names, err := v.c.names(ctx, e.Repository())
	if err != nil {
		return err
	}
	for _, name := range names {
		result, err := e.Verify(ctx, engine.VerifyRequest{Name: name, Full: v.c.Full})
		if result == nil && (!v.c.All || errors.Is(err, context.Canceled)) {
			return err
		}
		if result == nil && errors.Is(err, holdfast.ErrNotFound) {
			v.a.ui.note("note: %s was deleted meanwhile", clean(name))
			continue
		}
		item := report.NewVerifyItem(name, result, err)
		item.From = cmp.Or(item.From, from)
		v.add(item, err)
	}
	return nil
}

// names lists what to verify.
func (c *verifyCmd) names(ctx context.Context, r *repo.Repository) ([]string, error) {
	if !c.All {
		return []string{cmp.Or(c.Name, "latest")}, nil
	}
	if r == nil {
		return nil, &holdfast.Error{Op: "verify", Err: holdfast.Kindf(holdfast.ErrNotFound, "there is no repository"), Hint: "--replica all verifies the copies"}
	}
	return report.Everything(ctx, r)
}

// locationOf tells where the repository is; empty if there is none.
func locationOf(e *engine.Engine) string {
	if r := e.Repository(); r != nil {
		return r.Location()
	}
	return ""
}

// print tells the outcome to a person.
func (c *verifyCmd) print(u *ui, out report.Verify) {
	for _, item := range out.Results {
		name := clean(item.Backup.String()) + fromWords(item.From)
		for _, p := range append(append([]holdfast.Problem{}, item.Damage...), item.SourceProblems...) {
			u.warn(p)
		}
		switch {
		case item.OK && item.StoredOnly:
			u.print("%s %s: every stored byte is as recorded%s, but the backup is encrypted and was not opened\n",
				u.outPaint.yellow("intact"), u.outPaint.bold(name), proofCost(item.Proof))
			u.note("note: a key proves what is in it: identity_file, or a passphrase")
		case item.OK:
			u.print("%s %s: every byte is as recorded, and every source passed its check%s\n",
				u.outPaint.green("proven"), u.outPaint.bold(name), proofCost(item.Proof))
		case len(item.Damage) > 0:
			u.print("%s %s: %s\n", u.outPaint.red("damaged"), u.outPaint.bold(name), plural(len(item.Damage), "file does not hold what was recorded", "files do not hold what was recorded"))
		case len(item.SourceProblems) > 0:
			u.print("%s %s: the bytes are as recorded, but the data did not pass its own check\n", u.outPaint.yellow("not proven"), u.outPaint.bold(name))
		case item.Proof != nil && item.Proof.OK:
			u.warn(holdfast.Problem{Object: name, Severity: holdfast.Warning, Message: item.Error})
			u.print("%s %s: every byte is as recorded, and every source passed its check, but the proof was not kept\n",
				u.outPaint.yellow("not proven"), u.outPaint.bold(name))
		default:
			u.warn(holdfast.Problem{Object: name, Severity: holdfast.Incomplete, Message: item.Error})
			u.print("%s %s: it could not be verified\n", u.outPaint.red("not proven"), u.outPaint.bold(name))
		}
	}
}

func proofCost(p *holdfast.Proof) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf(" (%s in %s)", size(p.Bytes), span(millis(p.DurationMS)))
}
