package repo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/bucket"
)

// instanceDir holds one record for each instance that keeps data here.
const instanceDir = ".holdfast/instances/"

// An Instance is the record of one storage whose data is kept in the
// repository, and of the program that uses it: it outlives the storage, so that
// the next start can tell a restart from a wipe, and two instances from one.
// Only its owner writes it.
type Instance struct {
	// ID is that of the marker which lies beside the data.
	ID string `json:"id"`
	// Run is that of the process: two processes with one ID have copies of
	// one storage.
	Run    string `json:"run"`
	Source string `json:"source"`
	// Host is empty if the repository encrypts.
	Host string `json:"host,omitempty"`
	// Created is when the storage was first used, Since when the history
	// begins that it took over.
	Created holdfast.Time `json:"created"`
	Since   holdfast.Time `json:"since"`
	Started holdfast.Time `json:"started"`
	// Seen and Expires bound the lease, by the clock of the owner.
	Seen    holdfast.Time `json:"seen"`
	Expires holdfast.Time `json:"expires"`
	// Ended is set when the program ended in order.
	Ended *holdfast.Time `json:"ended,omitempty"`
	// Open tells that it was not settled yet whether this storage took the
	// place of another one.
	Open      bool           `json:"open,omitempty"`
	Starts    int64          `json:"starts"`
	Kept      int64          `json:"kept"`
	Wiped     int64          `json:"wiped"`
	LastWiped *holdfast.Time `json:"last_wiped,omitempty"`

	// Modified is when the record was written by the clock of the store, which
	// is the same for all instances.
	Modified time.Time `json:"-"`
	// Err tells why the record cannot be read; it then has nothing but ID and
	// Modified.
	Err error `json:"-"`
}

// instanceFile is an Instance as it is stored.
type instanceFile struct {
	Format int `json:"format"`
	Instance
	Checksum string `json:"checksum"`
}

// Instances gives the records of all instances in the order of their ids. One
// that cannot be read is given with its Err; one that is removed meanwhile is
// not given.
func (r *Repository) Instances(ctx context.Context) ([]Instance, error) {
	var list []Instance
	for info, err := range r.b.List(ctx, instanceDir) {
		if err != nil {
			return nil, &holdfast.Error{Op: "list instances", Object: r.Location(), Err: err}
		}
		id, ok := strings.CutSuffix(strings.TrimPrefix(info.Key, instanceDir), ".json")
		if !ok || CheckInstanceID(id) != nil {
			continue // nobody's
		}
		inst, err := r.readInstance(ctx, id)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case errors.Is(err, holdfast.ErrDamaged), errors.Is(err, holdfast.ErrRefused):
			inst = Instance{ID: id, Err: err}
		case err != nil:
			return nil, err
		}
		inst.Modified = info.ModTime
		list = append(list, inst)
	}
	return list, nil
}

func (r *Repository) readInstance(ctx context.Context, id string) (Instance, error) {
	var f instanceFile
	data, err := readSmall(ctx, r.b, instanceKey(id))
	if err == nil {
		err = unseal(data, &f)
	}
	if err == nil && f.ID != id {
		err = &damage{"", fmt.Errorf("it belongs to the instance %q", f.ID)}
	}
	if err != nil {
		return Instance{}, &holdfast.Error{
			Op: "read", Object: instanceKey(id), Err: err,
			Hint: "it only counts restarts: remove it, and a program that lives writes it anew",
		}
	}
	return f.Instance, nil
}

// putAttempts bounds how often a record is written whose temporary file was
// taken for a crash's by a writer that began its work just then.
const putAttempts = 3

// PutInstance writes the record of the caller's own instance. It needs no
// lease, and does not wait for a writer.
func (r *Repository) PutInstance(ctx context.Context, i Instance) error {
	if err := CheckInstanceID(i.ID); err != nil {
		return err
	}
	if r.Encrypts() {
		i.Host = ""
	}
	data, err := seal(instanceFile{Format: holdfast.FormatVersion, Instance: i})
	if err == nil {
		err = r.b.Put(ctx, instanceKey(i.ID), data, bucket.Replace)
	}
	for n := 1; n < putAttempts && errors.Is(err, fs.ErrNotExist); n++ {
		err = r.b.Put(ctx, instanceKey(i.ID), data, bucket.Replace)
	}
	if err != nil {
		return &holdfast.Error{Op: "write", Object: instanceKey(i.ID), Err: err}
	}
	return nil
}

// RemoveInstance removes the record of an instance that is gone. An absent one
// is success.
func (r *Repository) RemoveInstance(ctx context.Context, id string) error {
	if err := CheckInstanceID(id); err != nil {
		return err
	}
	if err := r.b.Delete(ctx, instanceKey(id)); err != nil {
		return &holdfast.Error{Op: "remove", Object: instanceKey(id), Err: err}
	}
	return nil
}

func instanceKey(id string) string { return instanceDir + id + ".json" }

// instanceID is what crypto/rand.Text gives, in small letters.
var instanceID = regexp.MustCompile(`^[a-z0-9]{8,64}$`)

// CheckInstanceID refuses what cannot be the ID of an Instance.
func CheckInstanceID(id string) error {
	if !instanceID.MatchString(id) {
		return &holdfast.Error{Op: "instance", Object: id, Err: holdfast.Kindf(holdfast.ErrUsage, "not the id of an instance")}
	}
	return nil
}
