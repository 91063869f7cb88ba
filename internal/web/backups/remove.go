package backups

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// Grace is how long a deletion can be taken back.
const Grace = 10 * time.Second

// A Removal is what the page shows that asks before backups are deleted.
type Removal struct {
	Items []Item
	Back  string
	// Confirm is what has to be typed: the name of one, the number of several. Wrong
	// tells that something else was.
	Confirm string
	Wrong   bool
	// Leaves is how many backups there are afterwards.
	Leaves int
}

// An Item is one backup that is about to be deleted.
type Item struct {
	report.Backup
	// Missing tells that there is none of that name any more.
	Missing bool
	// NeededBy are the backups that stay and store parts by reference to it: its space
	// is free when they go.
	NeededBy []holdfast.BackupName
	// LastProven tells that no other backup that stays is proven.
	LastProven bool
}

// Refused tells that something of it cannot be deleted.
func (r Removal) Refused() bool {
	return slices.ContainsFunc(r.Items, func(i Item) bool { return i.Pinned || i.Missing })
}

// Stored is what the backups take.
func (r Removal) Stored() (sum int64) {
	for _, i := range r.Items {
		sum += i.StoredBytes
	}
	return sum
}

// BuildRemoval tells what deleting backups would do, when others are being deleted already.
func BuildRemoval(all []report.Backup, names []holdfast.BackupName, others ...holdfast.BackupName) Removal {
	goes := func(b report.Backup) bool { return slices.Contains(names, b.Name) || slices.Contains(others, b.Name) }
	r := Removal{Confirm: strconv.Itoa(len(names))}
	if len(names) == 1 {
		r.Confirm = names[0].String()
	}
	provenStays := false
	for _, b := range all {
		if !goes(b) {
			r.Leaves++
			provenStays = provenStays || b.Proven != nil
		}
	}
	for _, name := range names {
		at := slices.IndexFunc(all, func(b report.Backup) bool { return b.Name == name })
		if at < 0 {
			r.Items = append(r.Items, Item{Backup: report.Backup{Name: name}, Missing: true})
			continue
		}
		item := Item{Backup: all[at], LastProven: all[at].Proven != nil && !provenStays}
		for _, b := range all {
			if !goes(b) && (b.Parent == name || slices.Contains(b.Needs, name)) {
				item.NeededBy = append(item.NeededBy, b.Name)
			}
		}
		r.Items = append(r.Items, item)
	}
	return r
}

// asks tells whether a deletion is asked about first: several at once, the last backup,
// the last proven one, or one that cannot be deleted. Any other has its undo.
func (r Removal) asks() bool {
	return len(r.Items) != 1 || r.Leaves == 0 || r.Items[0].LastProven || r.Refused()
}

// Remove begins to delete backups, leads to the page back, and offers there to take it
// back. Several, or one that matters, are asked about first; whoever has confirmed sends
// the field confirm. What is being deleted already is not deleted twice.
func Remove(v *site.Visit, names []holdfast.BackupName, back string) error {
	all, _, err := v.Core.Book.Backups(v.Context())
	if err != nil && len(all) == 0 {
		return err
	}
	free := sync.OnceFunc(removing.Unlock)
	removing.Lock()
	defer free()
	going := deletions(atDeletion(v))
	asked := names
	names = slices.DeleteFunc(slices.Clone(names), func(n holdfast.BackupName) bool { return going[n].id != "" })
	r := BuildRemoval(all, names, slices.Collect(maps.Keys(going))...)
	r.Back = site.Local(back, root)
	if len(names) == 0 {
		d := going[asked[0]]
		for _, name := range asked { // several deletions are taken back one by one, in the list
			d.undo = d.undo && going[name].id == d.id
		}
		return removed(v, d, asked, r.Back)
	}
	if typed := v.R.PostFormValue("confirm"); r.asks() && (r.Refused() || !ui.Confirmed(typed, r.Confirm)) {
		free() // nobody waits for whoever reads the question slowly
		r.Wrong = v.R.PostForm.Has("confirm") && !r.Refused()
		status := http.StatusOK
		if r.Wrong {
			status = http.StatusUnprocessableEntity
		}
		return v.Render(status, RemoveView(v.Page("backups", v.L.T("backups.delete_title")), r))
	}
	q := operation.DeleteRequest{Grace: Grace.String()}
	for _, name := range names {
		q.Names = append(q.Names, name.String())
	}
	j, err := v.Core.Operations.Delete(v.Context(), caller(v), "", q)
	if err != nil {
		return err
	}
	access.Note(v.Context(), access.Facts{Job: j.ID, Operation: j.ID, Backup: q.Names[0]})
	return removed(v, deletion{j.ID, true}, names, r.Back)
}

// removing makes the second of two clicks find the deletion of the first: taken back would
// be only one of two.
var removing sync.Mutex

// removed leads back, and offers to take a deletion back while that can be.
func removed(v *site.Visit, d deletion, names []holdfast.BackupName, back string) error {
	undo := ""
	if d.undo {
		undo = "/jobs/" + d.id + "/cancel?back=" + url.QueryEscape(back)
	}
	if len(names) == 1 {
		v.Undo(undo, ui.Warn, "backups.deleting_one", "name", names[0].String())
	} else {
		v.Undo(undo, ui.Warn, "backups.deleting_many", "n", len(names))
	}
	return v.Redirect(back)
}

// atDeletion are the jobs that are deleting backups, or wait to, with what they were asked
// for: a list of jobs leaves that out.
func atDeletion(v *site.Visit) []job.Job {
	jobs, _, _ := v.Core.Jobs.List(job.Filter{Kind: operation.KindDelete, States: []job.State{job.Queued, job.Running}}, job.Page{})
	for i, j := range jobs {
		if whole, err := v.Core.Jobs.Get(j.ID); err == nil {
			jobs[i] = whole
		}
	}
	return jobs
}

// DeletionOf is the job that is about to delete a backup; empty: none is.
func DeletionOf(v *site.Visit, name holdfast.BackupName) string {
	return deletions(atDeletion(v))[name].id
}

// removeSelected deletes what was ticked.
func removeSelected(v *site.Visit) error {
	names, err := selected(v)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return none(v)
	}
	return Remove(v, names, back(v))
}
