package api

import (
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
)

// A Paged request asks for a part of a list.
type Paged struct {
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"At most so many."`
	After string `query:"after" maxLength:"1024" doc:"The cursor that the page before gave as next."`

	url url.URL
}

// Resolve implements huma.Resolver: it notes what was asked, for the link to the next
// page.
func (p *Paged) Resolve(ctx huma.Context) []error {
	p.url = ctx.URL()
	return nil
}

// link names the next page in the form of a Link header; empty at the end.
func (p *Paged) link(next string) string {
	if next == "" {
		return ""
	}
	q := p.url.Query()
	q.Set("after", next)
	q.Set("limit", strconv.Itoa(p.Limit))
	return "<" + p.url.EscapedPath() + "?" + q.Encode() + `>; rel="next"`
}
