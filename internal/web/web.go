// Package web is the web UI of the daemon: pages that the server writes, in English,
// Thai and Persian, over the same core as the HTTP API.
//
// Start from [New], which puts the pages of the folders below on one site. Each of
// them has a Model (what the page shows, plain data), a View (templ, the page itself)
// and a Mount (its routes). What they share lies in site (visits, routes, failures),
// ui (frame and pieces), assets (style, scripts, fonts, icons) and in package locale
// (the words). gallery shows every page in every state, for tests and pictures.
package web

import (
	"github.com/holdfast-backup/holdfast/internal/web/activity"
	"github.com/holdfast-backup/holdfast/internal/web/backups"
	"github.com/holdfast-backup/holdfast/internal/web/compare"
	"github.com/holdfast-backup/holdfast/internal/web/contents"
	"github.com/holdfast-backup/holdfast/internal/web/details"
	"github.com/holdfast-backup/holdfast/internal/web/entry"
	"github.com/holdfast-backup/holdfast/internal/web/jobs"
	"github.com/holdfast-backup/holdfast/internal/web/overview"
	"github.com/holdfast-backup/holdfast/internal/web/restore"
	"github.com/holdfast-backup/holdfast/internal/web/settings"
	"github.com/holdfast-backup/holdfast/internal/web/site"
)

// New gives the pages; package api puts them behind its door, beside the API.
func New(o site.Options) *site.Site {
	s := site.New(o)
	entry.Mount(s)
	details.Mount(s)
	contents.Mount(s)
	compare.Mount(s)
	jobs.Mount(s)
	backups.Mount(s)
	overview.Mount(s)
	restore.Mount(s)
	activity.Mount(s)
	settings.Mount(s)
	return s
}
