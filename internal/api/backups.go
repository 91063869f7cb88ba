package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/redact"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/internal/wire"
)

var (
	reading   = []access.Scope{access.ScopeRead}
	backingUp = []access.Scope{access.ScopeBackup}
	restoring = []access.Scope{access.ScopeRestore}
	owning    = []access.Scope{access.ScopeAdmin}
)

type backupsInput struct {
	Text    string    `query:"q" maxLength:"200" doc:"Only backups whose name and note hold these words."`
	Type    string    `query:"type" enum:"enhanced,standard" doc:"Only backups of this type."`
	Trigger string    `query:"trigger" enum:"manual,quick,auto,scheduled,change,startup,shutdown,emergency,guard" doc:"Only backups that were made for this reason."`
	Source  string    `query:"source" maxLength:"180" doc:"Only backups that hold this source."`
	Proven  string    `query:"proven" enum:"true,false" doc:"Only backups that are proven, or are not."`
	Drilled string    `query:"drilled" enum:"true,false" doc:"Only backups that a drill has proven, or has not."`
	Bad     string    `query:"problems" enum:"true,false" doc:"Only backups of which something bad is to be told, or nothing."`
	Pinned  string    `query:"pinned" enum:"true,false" doc:"Only backups that are pinned, or are not."`
	Since   time.Time `query:"since" doc:"Only backups of then or later."`
	Until   time.Time `query:"until" doc:"Only backups from before then."`
	Sort    string    `query:"sort" enum:"newest,oldest,name,size" default:"newest" doc:"The order; size: the largest first."`
	Tag     string    `header:"If-None-Match" doc:"The ETag of what you have: if nothing has changed the answer is 304."`
	Paged
}

// A backupPage is a part of the list of backups.
type backupPage struct {
	Type       string          `json:"type" enum:"backups"`
	Repository place           `json:"repository"`
	Backups    []report.Backup `json:"backups" doc:"Each as a list of the command line shows it."`
	Total      int             `json:"total" doc:"How many there are on all pages."`
	Next       string          `json:"next,omitempty" doc:"The cursor of the next page; absent at the end."`
}

// A place tells where the backups lie.
type place struct {
	Location string `json:"location" doc:"A directory, or a URL without secrets."`
	Exists   bool   `json:"exists" doc:"False until the first backup was made."`
	Stale    string `json:"stale,omitempty" doc:"The repository cannot be asked: the list is that of the time which this names."`
}

type backupsOutput struct {
	Status int
	Tag    string `header:"ETag" doc:"Names this state of the list."`
	Link   string `header:"Link" doc:"rel=next: the next page."`
	Cache  string `header:"Cache-Control" doc:"private, no-cache"`
	Body   *backupPage
}

// revalidate lets a client keep an answer and ask whether it is still right.
const revalidate = "private, no-cache"

func (s *server) addBackups() {
	notModified := map[int]answer{http.StatusNotModified: {words: "Nothing has changed."}}
	add(s, route{
		id: "listBackups", method: http.MethodGet, path: "/backups", tag: "backups", summary: "List backups",
		description: "Those of the repository, a page at a time. A cursor stays right while backups come and go.",
		scopes:      reading, status: http.StatusOK, also: notModified,
	}, s.listBackups)
	s.addMake()
	add(s, route{
		id: "getBackup", method: http.MethodGet, path: "/backups/{name}", tag: "backups", summary: "Show a backup",
		description: "With its metadata, every proof that is kept, the statistics of its memory, and which places have it. A backup that only a replica has is shown from there.",
		scopes:      reading, status: http.StatusOK, also: notModified, errors: []int{http.StatusNotFound},
	}, s.showBackup)
	add(s, route{
		id: "listFiles", method: http.MethodGet, path: "/backups/{name}/files", tag: "backups", summary: "List the files of a backup",
		description: "Every file, folder and link in it, in the order of their paths.",
		scopes:      reading, status: http.StatusOK, errors: []int{http.StatusNotFound},
	}, s.listFiles)
	s.addDownload()
	add(s, route{
		id: "pinBackup", method: http.MethodPatch, path: "/backups/{name}", tag: "backups", summary: "Pin or unpin a backup",
		description: "A pinned backup is never pruned. With If-Match it is changed only if it is still as you know it.",
		scopes:      owning, status: http.StatusOK, errors: []int{http.StatusNotFound, http.StatusPreconditionFailed},
	}, s.pinBackup)
}

// listBackups answers from memory: the list is asked for often.
func (s *server) listBackups(ctx context.Context, in *backupsInput) (*backupsOutput, error) {
	c := s.core()
	at := place{Location: wire.Location(c.Config.Repository), Exists: true}
	all, tag, err := c.Book.Backups(ctx)
	aged, old := errors.AsType[*report.AgedError](err)
	switch {
	case noneYet(err):
		at.Exists, all, tag = false, nil, "none"
	case old:
		at.Stale = redact.Text(aged.Error())
	case err != nil:
		return nil, err
	}
	q := report.Query{
		Text: in.Text, Type: holdfast.Type(in.Type), Trigger: holdfast.Trigger(in.Trigger), Source: in.Source,
		Proven: yesOrNo(in.Proven), Drilled: yesOrNo(in.Drilled), Pinned: yesOrNo(in.Pinned), Problems: yesOrNo(in.Bad),
		Since: in.Since, Until: in.Until, Sort: in.Sort, Limit: in.Limit, After: in.After,
	}
	page, next, total, err := q.Page(all)
	if err != nil {
		return nil, err
	}
	out := &backupsOutput{Status: http.StatusOK, Tag: tagOf(tag, at.Stale, in.url.RawQuery, s.o.Version), Link: in.link(next), Cache: revalidate}
	if in.Tag != "" && matches(in.Tag, out.Tag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = &backupPage{Type: "backups", Repository: at, Backups: page, Total: total, Next: next}
	return out, nil
}

// noneYet tells that there is no repository, which for a list is no failure.
func noneYet(err error) bool { return err != nil && holdfast.ExitCode(err) == holdfast.ExitNotFound }

// yesOrNo reads a filter that may be absent.
func yesOrNo(word string) *bool {
	if word == "" {
		return nil
	}
	return new(word == "true")
}
