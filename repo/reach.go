package repo

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/holdfast-backup/holdfast"
)

// Reach opens everything in other backups that the files captured so far refer
// to, and reads none of it. Base looks at backups only from the outside; what
// Reach finds missing or cut short is damage (ErrDamaged), which a backup of only
// what changed would inherit without a word.
func (p *Pending) Reach(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(readAtOnce)
	for name := range p.definers() {
		g.Go(func() error {
			_, err := p.other(name)
			return err
		})
	}
	for n := range p.refs.count() {
		g.Go(func() error {
			if err := context.Cause(ctx); err != nil {
				return err
			}
			pl, err := p.payload(nil, n+1)
			if err != nil {
				return err
			}
			return pl.close()
		})
	}
	return g.Wait()
}

// definers are the backups whose manifests say where the blocks of files lie.
func (p *Pending) definers() map[holdfast.BackupName]bool {
	names := map[holdfast.BackupName]bool{}
	for _, e := range p.list() {
		if e.named() {
			names[e.definer.Backup] = true
		}
	}
	return names
}
