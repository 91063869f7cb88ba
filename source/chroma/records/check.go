package records

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// Check opens a tree and checks it: [Open], then [Tree.Check].
func Check(ctx context.Context, fsys fs.FS, opts holdfast.CheckOptions) (holdfast.Report, error) {
	t, err := Open(ctx, fsys)
	if errors.Is(err, holdfast.ErrDamaged) || errors.Is(err, holdfast.ErrNotFound) {
		return holdfast.Report{
			Facts:    holdfast.Facts{Chroma: &holdfast.ChromaFacts{QuickCheck: holdfast.CheckFailed, Collections: []holdfast.ChromaCollection{}}},
			Problems: []holdfast.Problem{{Object: ServerFile, Severity: holdfast.Damaged, Message: err.Error(), Hint: "restore an older backup that is proven"}},
		}, nil
	}
	if err != nil {
		return holdfast.Report{}, err
	}
	return t.Check(ctx, opts)
}

// Check reads every line. What is damaged is a problem; the error is for a check that
// could not be made.
func (t *Tree) Check(ctx context.Context, _ holdfast.CheckOptions) (holdfast.Report, error) {
	facts := &holdfast.ChromaFacts{QuickCheck: holdfast.CheckOK, Collections: []holdfast.ChromaCollection{}}
	report := holdfast.Report{Facts: holdfast.Facts{Chroma: facts}, Problems: slices.Clone(t.odd)}
	for _, c := range t.collections {
		problems, n, err := t.check(ctx, c)
		if err != nil {
			return holdfast.Report{}, err
		}
		report.Problems = append(report.Problems, problems...)
		c.Records = n
		facts.Records += n
		facts.Collections = append(facts.Collections, c.ChromaCollection)
	}
	if len(report.Problems) > 0 {
		facts.QuickCheck = holdfast.CheckFailed
	}
	return report, nil
}

// mostTwice bounds how many records are known by their ids' fingerprints at a time: of a
// larger collection whether an id is there twice is looked at among so many neighbours.
const mostTwice = 1 << 20

// check reads the records of one collection.
func (t *Tree) check(ctx context.Context, c disk.Collection) (problems []holdfast.Problem, n int64, err error) {
	tell := func(format string, args ...any) {
		problems = append(problems, holdfast.Problem{Object: t.File(c), Severity: holdfast.Damaged, Message: fmt.Sprintf("collection %s: ", c.Name) + fmt.Sprintf(format, args...)})
	}
	seed, seen := maphash.MakeSeed(), map[uint64]struct{}{}
	var twice, wrong int64
	var firstTwice, firstWrong string
	err = t.each(ctx, c, 0, func(l *lines, line []byte) (bool, error) {
		r, err := parse(line, disk.Everything)
		if err != nil {
			return false, t.damaged(c, l, err)
		}
		n++
		sum := maphash.String(seed, r.ID)
		if _, is := seen[sum]; is {
			if twice++; twice == 1 {
				firstTwice = r.ID
			}
		}
		if len(seen) >= mostTwice {
			clear(seen)
		}
		seen[sum] = struct{}{}
		if c.Dimension > 0 && r.Embedding != nil && len(r.Embedding) != c.Dimension {
			if wrong++; wrong == 1 {
				firstWrong = r.ID
			}
		}
		return true, nil
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil, 0, context.Cause(ctx)
		}
		if !errors.Is(err, holdfast.ErrDamaged) {
			return nil, 0, err
		}
		tell("%v; the records after it are not read", err)
		return problems, n, nil
	}
	if n != c.Records {
		tell("records in it: %d, and in its description: %d", n, c.Records)
	}
	if twice > 0 {
		tell("ids that are there twice: %d, such as %q", twice, firstTwice)
	}
	if wrong > 0 {
		tell("embeddings that have not %d numbers: %d, such as that of %q", c.Dimension, wrong, firstWrong)
	}
	return problems, n, nil
}
