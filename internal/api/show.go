package api

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/access"
	"github.com/holdfast-backup/holdfast/internal/report"
)

type showInput struct {
	Named
	Tag string `header:"If-None-Match" doc:"The ETag of what you have: if nothing has changed the answer is 304."`
}

type showOutput struct {
	Status int
	Tag    string `header:"ETag" doc:"Names this state of the backup, for If-None-Match and If-Match."`
	Cache  string `header:"Cache-Control" doc:"private, no-cache"`
	Body   *report.Show
}

// showBackup shows one backup with all that it says of itself.
func (s *server) showBackup(ctx context.Context, in *showInput) (*showOutput, error) {
	show, tag, err := s.shown(ctx, in.Named)
	if err != nil {
		return nil, err
	}
	out := &showOutput{Status: http.StatusOK, Tag: tag, Cache: revalidate, Body: &show}
	if in.Tag != "" && matches(in.Tag, tag) {
		out.Status = http.StatusNotModified
	}
	return out, nil
}

// shown gives a backup and the tag of the state in which it is.
func (s *server) shown(ctx context.Context, in Named) (report.Show, string, error) {
	e, near, err := s.near(ctx, in)
	if err != nil {
		return report.Show{}, "", err
	}
	show, err := report.NewShow(ctx, near, false)
	if err != nil {
		return report.Show{}, "", err
	}
	show.Complete(ctx, e, near)
	body, err := encoded(show)
	return show, tagOf(string(body)), err
}

// near finds the nearest copy of the backup that a request names.
func (s *server) near(ctx context.Context, in Named) (*engine.Engine, *engine.Copy, error) {
	name, err := in.parsed()
	if err != nil {
		return nil, nil, err
	}
	e, err := s.core().Keeper.Engine(ctx)
	if err != nil {
		return nil, nil, err
	}
	near, err := e.Describe(ctx, name)
	return e, near, err
}

type filesInput struct {
	Named
	Source string `query:"source" maxLength:"180" doc:"Only the folder of this source."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"At most so many."`
	After  string `query:"after" maxLength:"4096" doc:"The cursor that the page before gave as next."`
}

// A filePage is a part of the list of a backup's files.
type filePage struct {
	Backup holdfast.BackupName `json:"backup"`
	Files  []report.File       `json:"files" doc:"In the order of their paths."`
	Total  int                 `json:"total" doc:"How many there are on all pages."`
	Next   string              `json:"next,omitempty" doc:"The cursor of the next page; absent at the end."`
}

type filesOutput struct {
	Body filePage
}

// listFiles lists what is in a backup. The cursor is the last path.
func (s *server) listFiles(ctx context.Context, in *filesInput) (*filesOutput, error) {
	after, err := base64.RawURLEncoding.DecodeString(in.After)
	if err != nil {
		return nil, usagef("after", "the cursor is none of ours", "leave it out to begin anew")
	}
	_, near, err := s.near(ctx, in.Named)
	if err != nil {
		return nil, err
	}
	show, err := report.NewShow(ctx, near, true)
	if err != nil {
		return nil, err
	}
	part := report.PageOfFiles(show.Files, in.Source, string(after), in.Limit)
	page := filePage{Backup: show.Backup.Name, Files: part.Files, Total: part.Total}
	if part.Next != "" {
		page.Next = base64.RawURLEncoding.EncodeToString([]byte(part.Next))
	}
	return &filesOutput{Body: page}, nil
}

type pinInput struct {
	Named
	Match string `header:"If-Match" doc:"The ETag of the backup as you know it."`
	Body  pinBody
}

type pinBody struct {
	Pinned bool `json:"pinned" doc:"Whether it is to be kept from pruning."`
}

type pinOutput struct {
	Tag  string `header:"ETag" doc:"Names the new state of the backup."`
	Body report.Show
}

// pinBackup pins a backup, or no longer.
func (s *server) pinBackup(ctx context.Context, in *pinInput) (*pinOutput, error) {
	show, tag, err := s.shown(ctx, in.Named)
	if err != nil {
		return nil, err
	}
	name := show.Backup.Name
	access.Note(ctx, access.Facts{Backup: name.String()})
	if in.Match != "" && !matches(in.Match, tag) {
		return nil, changedMeanwhile(name.String())
	}
	if _, err := s.core().Operations.Pin(ctx, name.String(), in.Body.Pinned); err != nil {
		return nil, err
	}
	show, tag, err = s.shown(ctx, Named{Name: name.String()})
	return &pinOutput{Tag: tag, Body: show}, err
}
