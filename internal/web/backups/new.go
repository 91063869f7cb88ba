package backups

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/api"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/web/site"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// A Form is what the page of an Enhanced Backup shows.
type Form struct {
	Name, Note        string
	Memory, Pin, Full bool
	Key               string // so that two clicks make one backup
	// HasMemory tells that a memory is configured, MayPin that the reader may pin.
	HasMemory, MayPin bool
	// NameFault is what is wrong with the name, Object the letter or name of which that
	// is said; Exists, that a backup has it; NoteFault, that the note cannot be kept.
	NameFault holdfast.NameFault
	Object    string
	Exists    bool
	NoteFault bool
	// Sources are what is captured; nil: nobody knows yet. Expected is about what the
	// backup takes, zero if nobody knows; Free is nil then.
	Sources  []report.SourceStatus
	Expected int64
	Free     *int64
}

// Wrong tells that something has to be corrected.
func (f Form) Wrong() bool { return f.NameFault != "" || f.Exists || f.NoteFault }

// Low tells that the backup may not fit.
func (f Form) Low() bool { return f.Free != nil && f.Expected > 0 && *f.Free < f.Expected }

// Logical is what the sources hold.
func (f Form) Logical() (sum int64) {
	for _, s := range f.Sources {
		sum += s.Bytes
	}
	return sum
}

// Command is the same on the command line.
func (f Form) Command() string {
	words := []string{"holdfast backup"}
	if f.Name != "" {
		words = append(words, "--name", quoted(f.Name))
	}
	if f.HasMemory && !f.Memory {
		words = append(words, "--memory=false")
	}
	if f.Full {
		words = append(words, "--full")
	}
	if f.Note != "" {
		words = append(words, "--note", quoted(f.Note))
	}
	line := strings.Join(words, " ")
	if f.Pin {
		if f.Name == "" {
			return line + " && holdfast pin latest"
		}
		return line + " && holdfast pin " + quoted(f.Name)
	}
	return line
}

// quoted writes a word as a shell takes it.
func quoted(word string) string {
	plain := !strings.ContainsFunc(word, func(r rune) bool {
		return r < 0x80 && !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
	})
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// formOf reads what was typed.
func formOf(v *site.Visit, q url.Values) Form {
	f := blank(v)
	f.Name, f.Note = strings.TrimSpace(q.Get("name")), strings.TrimSpace(strings.ReplaceAll(q.Get("note"), "\r\n", "\n"))
	f.Memory, f.Full, f.Pin, f.Key = q.Has("memory"), q.Has("full"), q.Has("pin") && f.MayPin, q.Get("key")
	return f
}

// blank is the form as it is at first.
func blank(v *site.Visit) Form {
	c := v.Core.Config
	return Form{
		Memory: c.IncludeMemory, Key: rand.Text(), MayPin: may(v).Admin,
		HasMemory: slices.ContainsFunc(c.Sources, func(s config.Source) bool { return len(s.Memory) > 0 }),
	}
}

// check looks at the name as the domain does, and at what is there already.
func (f *Form) check(ctx context.Context, c api.Core) {
	f.NoteFault = len(f.Note) > holdfast.MaxNote
	if f.Name == "" {
		return
	}
	name, err := holdfast.ParseBackupName(f.Name)
	if fault, ok := errors.AsType[*holdfast.NameError](err); ok {
		f.NameFault, f.Object = fault.Fault, fault.Object
		return
	}
	all, _, err := c.Book.Backups(ctx)
	if err != nil { // an aged list tells nothing of a name; the backup itself looks again
		return
	}
	f.Exists = slices.ContainsFunc(all, func(b report.Backup) bool { return b.Name == name })
}

// look adds what will be captured, and whether there is room for it.
func (f *Form) look(v *site.Visit) {
	st, err := v.Glance(formWait)
	if st == nil || err != nil { // the form does without the sizes; the backup itself tells what fails
		return
	}
	f.Sources, f.Free = st.Sources, st.Repository.FreeBytes
	all, _, _ := v.Core.Book.Recent(v.Context())
	f.Expected = expected(f.Logical(), all)
}

// formWait is how long the form waits for the sizes of the sources.
const formWait = 700 * time.Millisecond

// expected is what a full backup takes, as the newest one did.
func expected(logical int64, all []report.Backup) int64 {
	for _, b := range all {
		if b.Form == report.FormFull && b.LogicalBytes > 0 {
			return int64(float64(logical) * float64(b.StoredBytes) / float64(b.LogicalBytes))
		}
	}
	return logical
}

func showNew(v *site.Visit) error {
	f := blank(v)
	f.look(v)
	return v.Render(http.StatusOK, NewView(newPage(v), f))
}

func newPage(v *site.Visit) ui.Page { return v.Page("backups", v.L.T("backups.new")) }

// command is the part of the form that follows what is typed.
func command(v *site.Visit) error {
	f := formOf(v, v.R.URL.Query())
	f.check(v.Context(), v.Core)
	return v.Render(http.StatusOK, Live(v.Page("backups", ""), f, true))
}

// create makes an Enhanced Backup. The same form sent twice makes one.
func create(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	f := formOf(v, form)
	if j, ok := already(v, f.Key); ok {
		return begun(v, j, nil)
	}
	if f.check(v.Context(), v.Core); f.Wrong() {
		f.look(v)
		return v.Render(http.StatusUnprocessableEntity, NewView(newPage(v), f))
	}
	if f.Pin {
		if err := v.Site.Access.Allow(v.Context(), access.ScopeAdmin); err != nil {
			return err
		}
	}
	q := operation.BackupRequest{Name: f.Name, Trigger: holdfast.TriggerManual, Full: f.Full, Note: f.Note, Pin: f.Pin}
	if f.HasMemory {
		q.Memory = &f.Memory
	}
	j, err := v.Core.Operations.Backup(v.Context(), caller(v), f.Key, q)
	return begun(v, j, err)
}

// quick makes a backup without a question.
func quick(v *site.Visit) error {
	form, err := v.Form()
	if err != nil {
		return err
	}
	j, err := v.Core.Operations.Backup(v.Context(), caller(v), form.Get("key"), operation.BackupRequest{Trigger: holdfast.TriggerQuick})
	return begun(v, j, err)
}

// already finds the job of a form that was sent before: its name exists by now.
func already(v *site.Visit, key string) (job.Job, bool) {
	if key == "" {
		return job.Job{}, false
	}
	jobs, _, _ := v.Core.Jobs.List(job.Filter{Kind: operation.KindBackup}, job.Page{Limit: perPage})
	at := slices.IndexFunc(jobs, func(j job.Job) bool { return j.Key == key && j.By == caller(v) })
	if at < 0 {
		return job.Job{}, false
	}
	return jobs[at], true
}
