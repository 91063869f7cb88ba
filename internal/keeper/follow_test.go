package keeper

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// A follower does what its functions do.
type follower struct {
	replicate func() (*engine.ReplicateResult, error)
	prune     func() ([]retention.Decision, error)
}

func (f follower) Replicate(context.Context, engine.ReplicateRequest) (*engine.ReplicateResult, error) {
	return f.replicate()
}
func (f follower) Prune(context.Context) ([]retention.Decision, error) { return f.prune() }

func TestFollow_TroubleIsAWarning(t *testing.T) {
	good := follower{
		replicate: func() (*engine.ReplicateResult, error) { return &engine.ReplicateResult{}, nil },
		prune:     func() ([]retention.Decision, error) { return []retention.Decision{{Remove: true}}, nil },
	}
	one := errors.New("the line is cut")
	two := &holdfast.Error{Op: "copy", Object: "monday", Err: holdfast.ErrDamaged, Hint: "copy it from elsewhere"}
	for _, c := range []struct {
		name    string
		change  func(*follower)
		want    []string // object, message and hint of each problem
		lacking bool
	}{
		{"all is well", func(*follower) {}, nil, false},
		{"no replica can be asked", func(f *follower) {
			f.replicate = func() (*engine.ReplicateResult, error) { return nil, one }
		}, []string{"|the backup was made, but not copied: the line is cut|`holdfast replicate` tries again"}, true},
		{"two copies failed", func(f *follower) {
			f.replicate = func() (*engine.ReplicateResult, error) {
				return &engine.ReplicateResult{Replicas: []engine.ReplicaResult{{Name: "nas", Errs: []error{errors.Join(one, two)}}}}, fmt.Errorf("%w", holdfast.ErrIncomplete)
			}
		}, []string{
			"replica nas|not everything was copied: the line is cut|`holdfast replicate` tries again",
			"replica nas|not everything was copied: copy monday: damaged|copy it from elsewhere",
		}, true},
		{"a backup cannot be removed", func(f *follower) {
			f.prune = func() ([]retention.Decision, error) { return []retention.Decision{{Remove: true}}, one }
		}, []string{"/backups|the backup was made, but old backups could not all be removed: the line is cut|`holdfast prune` tries again"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := good
			c.change(&f)
			got, err := Follow(t.Context(), f, Following{Place: "/backups", Replicate: true, Prune: true})
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, p := range got.Problems {
				if p.Severity != holdfast.Warning {
					t.Errorf("more than a warning: %+v", p)
				}
				problems = append(problems, p.Object+"|"+p.Message+"|"+p.Hint)
			}
			if strings.Join(problems, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(problems, "\n"), strings.Join(c.want, "\n"))
			}
			if got.Lacking != c.lacking || len(got.Pruned) != 1 {
				t.Errorf("lacking %t, pruned %v", got.Lacking, got.Pruned)
			}
		})
	}
}

func TestFollow_DoesWhatIsWantedOnly(t *testing.T) {
	got, err := Follow(t.Context(), follower{}, Following{}) // its functions would panic
	if err != nil || got.Replicas != nil || got.Pruned != nil || got.Lacking {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestFollow_AnInterruptionIsNoProblemOfTheBackup(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := follower{
		replicate: func() (*engine.ReplicateResult, error) { cancel(); return nil, context.Canceled },
		prune:     func() ([]retention.Decision, error) { return nil, context.Canceled },
	}
	got, err := Follow(ctx, f, Following{Replicate: true, Prune: true})
	if !errors.Is(err, context.Canceled) || len(got.Problems) != 0 || !got.Lacking {
		t.Errorf("%+v, %v", got, err)
	}
}
