package probe

import (
	"errors"

	"github.com/gofrs/flock"
)

// errNotExcluded tells of a lock that is granted twice.
var errNotExcluded = errors.New("a lock that is held is granted a second time")

// tryLocks tries on an existing file that two open file descriptions keep each
// other out, by the locks that databases use and by those that markers use.
func tryLocks(file string) error {
	if err := tryRecordLocks(file); err != nil {
		return err
	}
	one, two := flock.New(file), flock.New(file)
	ok, err := one.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("a lock that nobody holds is refused")
	}
	again, err := two.TryLock()
	switch {
	case err != nil:
	case again:
		err = errors.Join(errNotExcluded, two.Unlock())
	}
	return errors.Join(err, one.Unlock())
}
