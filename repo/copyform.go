package repo

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/holdfast-backup/holdfast"
)

// A copyForm is how a backup is stored in a replica.
type copyForm struct {
	own     bool     // the replica has an encryption of its own
	recode  bool     // which is not that of the backup
	sealing *sealing // what a backup is encrypted with on its way; nil: not at all
}

// copyForm tells how a backup with this metadata is stored here.
func (r *Repository) copyForm(ctx context.Context, m *holdfast.Metadata) (copyForm, error) {
	if !r.OwnEncryption() {
		return copyForm{}, nil
	}
	s, _, err := r.fitEncryption(ctx)
	f := copyForm{own: true, sealing: s}
	f.recode = !f.fits(m)
	return f, err
}

// fits tells whether a backup with this metadata is stored in this form.
func (f copyForm) fits(m *holdfast.Metadata) bool {
	return !f.own || slices.Equal(f.recipients(), canonical(m.Recipients)) && m.Encrypted == (f.sealing != nil)
}

func (f copyForm) recipients() []string {
	if f.sealing == nil {
		return []string{}
	}
	return f.sealing.names
}

// sameNeeds refuses a copy that could not be read there: what it needs is
// missing, its payloads are not those that the extents here count in, or others
// can read them than can read the copy.
func (r *Repository) sameNeeds(ctx context.Context, needs []holdfast.BackupName, to *Repository, form copyForm) error {
	for _, n := range needs {
		_, here, err := r.loadMarker(ctx, n)
		if err != nil {
			return err
		}
		_, there, err := to.loadMarker(ctx, n)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return holdfast.Kindf(holdfast.ErrRefused, "it needs %s, which is not in %s", n, to.Location())
		case err != nil:
			return err
		case here.origin() != there.origin():
			return &holdfast.Error{
				Err:  holdfast.Kindf(holdfast.ErrRefused, "it needs %s, which is stored in another form in %s", n, to.Location()),
				Hint: "the next full backup, and what follows it, can be copied again",
			}
		case !form.fits(there.Metadata):
			return &holdfast.Error{
				Err:  holdfast.Kindf(holdfast.ErrRefused, "it needs %s, whose copy in %s was encrypted otherwise, before the encryption of the replica was changed", n, to.Location()),
				Hint: "`holdfast backup --full` makes a backup that can be copied at once; what follows it can be copied too",
			}
		}
	}
	return nil
}
