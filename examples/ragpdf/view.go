package main

import (
	"net/url"
	"strconv"
	"time"
)

// What page.html asks for beside the fields of a page.

// A section is a page in the navigation.
type section struct{ Name, Path string }

// Sections are all of them.
func (p *page) Sections() []section {
	return []section{{"ask", "/"}, {"documents", "/documents"}, {"conversations", "/conversations"}, {"data", "/data"}}
}

// T is a sentence in the reader's language.
func (p *page) T(id string, args ...any) string { return p.Lang.say(id, args...) }

// Said is a notice in the reader's language.
func (p *page) Said(n notice) string { return p.Lang.say(n.ID, n.Args...) }

// Holdfast is the address of a page of holdfast's.
func (p *page) Holdfast(elem ...string) string { return p.keeper.page(elem...) }

// Original is the address of a page of an uploaded PDF.
func (p *page) Original(file string, number int) string {
	return "/documents/" + url.PathEscape(file) + "#page=" + strconv.Itoa(number)
}

// A moment is a time as it is shown.
type moment struct{ ISO, Text string }

// At is a time as it is shown.
func (p *page) At(t time.Time) moment {
	return moment{t.UTC().Format(time.RFC3339), p.Lang.When(t)}
}

// A listing is conversations with the page that they stand on.
type listing struct {
	Page          *page
	Conversations []conversation
}

// With gives conversations to their template.
func (p *page) With(list []conversation) listing { return listing{p, list} }
