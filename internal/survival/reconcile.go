package survival

import (
	"context"
	"errors"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo"
)

// Reconcile compares the marker with the records of the repository and writes
// the own one. Without a repository it leaves it at what is known locally; one
// that comes later is reconciled then.
func (m *Marker) Reconcile(ctx context.Context, r *repo.Repository) error { return m.Renew(ctx, r) }

// NoRecords tells that there is no repository yet, so that nobody can know of an
// earlier start.
func (m *Marker) NoRecords() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.asked = true
	m.state.none = m.state.fresh && !m.state.recorded
}

// Renew says to the others that this instance lives, and looks whether they do.
// A process that does not have the lock only tries to take it: the one that has
// it speaks for the storage. An error of the repository changes nothing that is
// known; the next Renew asks again. Where the marker cannot be written any more,
// the lease is renewed and nothing is decided.
func (m *Marker) Renew(ctx context.Context, r *repo.Repository) error {
	m.asking.Lock()
	defer m.asking.Unlock()
	speaks, written := m.look()
	switch {
	case !speaks || r == nil:
		return nil
	case !written:
		return m.record(ctx, r)
	}
	list, err := m.list(ctx, r)
	if err != nil {
		return err
	}
	if err := m.change(func(s *state) bool { return s.identify(list) }); err != nil {
		return err
	}
	put := m.record(ctx, r)
	if put == nil && m.unsettledBeside(list) {
		// Only beside the own record, just written, does the time of the
		// others mean something.
		if list, err = m.list(ctx, r); err != nil {
			return err
		}
	}
	before := m.counted()
	var gone []string
	err = m.change(func(s *state) (changed bool) {
		gone, changed = s.settle(list, clocks{now: time.Now(), wall: m.o.Now(), lease: m.o.Lease})
		return changed
	})
	if err != nil {
		return errors.Join(put, err)
	}
	if put != nil {
		return put
	}
	if m.counted() != before {
		if err := m.record(ctx, r); err != nil {
			return err // the old records stay until their history lies safe
		}
	}
	var errs []error
	for _, id := range gone {
		errs = append(errs, r.RemoveInstance(ctx, id))
	}
	return errors.Join(errs...)
}

// record writes the own record.
func (m *Marker) record(ctx context.Context, r *repo.Repository) error {
	if err := r.PutInstance(ctx, m.instance()); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.recorded = true
	return nil
}

// look tells whether this process speaks for the storage, and whether its marker
// can be written, after another try at both.
func (m *Marker) look() (speaks, written bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false, false
	}
	err := m.begin()
	return m.active(), err == nil
}

// list gives the readable records of this source. Those that cannot be read are
// told once.
func (m *Marker) list(ctx context.Context, r *repo.Repository) ([]repo.Instance, error) {
	all, err := r.Instances(ctx)
	if err != nil {
		return nil, err
	}
	var list []repo.Instance
	for _, i := range all {
		switch {
		case i.Err != nil && !m.damaged[i.ID]:
			m.damaged[i.ID] = true
			m.o.Logger.Warn("the record of an instance cannot be read; it counts as absent", "error", i.Err)
		case i.Err == nil && i.Source == m.o.Source:
			list = append(list, i)
		}
	}
	return list, nil
}

// change changes what is known and, if it did, writes it beside the data.
func (m *Marker) change(how func(*state) bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !how(&m.state) {
		return nil
	}
	m.reason = m.write()
	return m.reason
}

// unsettledBeside tells whether others may have lived before this storage.
func (m *Marker) unsettledBeside(list []repo.Instance) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.me.Open && len(list) > 0 && (len(list) > 1 || list[0].ID != m.state.me.ID)
}

// counted is what the record in the repository must follow at once.
func (m *Marker) counted() [4]int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	settled := int64(0)
	if !m.state.me.Open {
		settled = 1
	}
	return [4]int64{m.state.me.Starts, m.state.me.Kept, m.state.me.Wiped, settled}
}

// instance is the own record as it is now.
func (m *Marker) instance() repo.Instance {
	m.mu.Lock()
	defer m.mu.Unlock()
	me, now := m.state.me, m.o.Now()
	i := repo.Instance{
		ID: me.ID, Run: me.Run, Source: m.o.Source, Host: m.host,
		Created: me.Created, Since: me.Since, Started: me.Started,
		Seen: holdfast.At(now), Expires: holdfast.At(now.Add(m.o.Lease)), Ended: me.Ended, Open: me.Open,
		Starts: me.Starts, Kept: me.Kept, Wiped: me.Wiped, LastWiped: me.LastWiped,
	}
	if me.Ended != nil {
		i.Expires = i.Seen
	}
	return i
}
