package telegramtest

import (
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast/internal/web/assets"
)

//go:embed page.html page.css page.js
var pageFiles embed.FS

// pages draws chats as a phone does.
var pages = template.Must(template.New("").Funcs(template.FuncMap{
	"css": func() template.CSS { return template.CSS(withFonts(pageFile("page.css"))) },
	"js":  func() template.JS { return template.JS(pageFile("page.js")) },
}).ParseFS(pageFiles, "page.html"))

// withFonts gives the style the addresses of the fonts.
func withFonts(css string) string {
	for _, name := range []string{"noto-sans", "noto-sans-thai", "vazirmatn"} {
		css = strings.ReplaceAll(css, "url(font:"+name+")", "url("+assets.URL(name+".woff2")+")")
	}
	return css
}

// pageFile reads a part of the page, which is in the program.
func pageFile(name string) string {
	b, err := pageFiles.ReadFile(name)
	if err != nil {
		return "" // the tests read every part
	}
	return string(b)
}

// A chatPage is what the page of a chat shows.
type chatPage struct {
	Title, Under string
	Initial      string
	Lang, Dir    string
	Theme        string // light, dark, or what the reader's system has
	Words        pageWords
	Chat         int64
	As           int64 // who writes and presses
	People       []Account
	Days         []pageDay
	Pinned       *pageMessage
	Asked        *pageMessage // a reply that the bot has asked for
	Seen         int64        // number of the change that is shown
	Live         bool         // follows what happens; pictures stand still
}

type pageDay struct {
	Date     string
	Messages []pageMessage
}

// A pageMessage is one bubble, or a line about what happened.
type pageMessage struct {
	Message
	Own     bool // on the reader's side
	Name    string
	Time    string
	Body    template.HTML
	Apart   bool // the time has a line of its own, as the last one may end on its side
	Size    string
	Service string
	Reply   *pageMessage
}

// serveChat draws a chat. The query may say as (whose phone it is), theme
// (light, dark) and still (1: for pictures).
func (s *Server) serveChat(w http.ResponseWriter, req *http.Request) {
	id, err := strconv.ParseInt(req.PathValue("id"), 10, 64)
	p, ok := s.page(id, req)
	if err != nil || !ok {
		http.NotFound(w, req)
		return
	}
	render(w, "chat", p)
}

func render(w http.ResponseWriter, name string, data any) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if err := pages.ExecuteTemplate(w, name, data); err != nil {
		_, _ = io.WriteString(w, template.HTMLEscapeString(err.Error()))
	}
}

// page gathers what the page of a chat shows.
func (s *Server) page(id int64, req *http.Request) (*chatPage, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.state.Chats[id]
	if r == nil {
		return nil, false
	}
	p := &chatPage{Chat: id, Theme: req.FormValue("theme"), Seen: s.changes, Live: req.FormValue("still") == "", People: s.people(r)}
	p.As, _ = strconv.ParseInt(req.FormValue("as"), 10, 64) // none: the first
	if !slices.ContainsFunc(p.People, func(a Account) bool { return a.ID == p.As }) && len(p.People) > 0 {
		p.As = p.People[0].ID
	}
	p.Lang, p.Dir = "en", "ltr"
	if u := s.state.Users[p.As]; u != nil {
		p.Lang, p.Dir = languageOf(u.LanguageCode)
	}
	p.Words = words[p.Lang]
	p.Title, p.Under = s.state.Bot.FirstName, p.Words.Bot
	if r.Ref.Type != Private {
		p.Title, p.Under = r.Ref.Title, r.Ref.Type
	}
	first, _ := utf8.DecodeRuneInString(p.Title)
	p.Initial = string(first)
	for _, k := range r.Messages {
		m := s.drawn(k, p)
		day := time.Unix(m.Date, 0).In(s.zone()).Format(time.DateOnly)
		if n := len(p.Days); n == 0 || p.Days[n-1].Date != day {
			p.Days = append(p.Days, pageDay{Date: day})
		}
		last := &p.Days[len(p.Days)-1]
		last.Messages = append(last.Messages, m)
		p.Asked = nil
		if k.ForceReply {
			p.Asked = &m
		}
	}
	if k := r.pinned(); k != nil {
		m := s.drawn(k, p)
		p.Pinned = &m
	}
	return p, true
}

func (s *Server) zone() *time.Location { return s.o.Now().Location() }

// people are those who can write into a chat, by id.
func (s *Server) people(r *room) []Account {
	var all []Account
	for id, u := range s.state.Users {
		if r.Ref.Type != Private || r.Ref.ID == id {
			all = append(all, u.Account)
		}
	}
	slices.SortFunc(all, func(a, b Account) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// drawn is a message as the page shows it.
func (s *Server) drawn(k *kept, p *chatPage) pageMessage {
	m := pageMessage{Message: k.view()}
	m.Time = time.Unix(m.Date, 0).In(s.zone()).Format("15:04")
	m.Own = m.From != nil && m.From.ID == p.As
	if m.From != nil && m.Chat.Type != Private && !m.Own {
		m.Name = m.From.FirstName
	}
	switch {
	case m.PinnedMessage != nil:
		m.Service = p.Words.PinnedLine
	case m.MigrateTo != 0, m.MigrateFrom != 0:
		m.Service = p.Words.Migrated
	}
	m.Body = template.HTML(forPages.Replace(m.HTML()))
	m.Apart = fromRight(m.Text + m.Caption)
	if m.Document != nil {
		m.Size = size(m.Document.FileSize)
	}
	if m.ReplyTo != nil {
		quoted := pageMessage{Message: *m.ReplyTo}
		if quoted.From != nil {
			quoted.Name = quoted.From.FirstName
		}
		m.Reply = &quoted
	}
	return m
}

// forPages turns the markup of the Bot API into that of a page. Quotes are
// blocks there, which end their line themselves.
var forPages = strings.NewReplacer(
	"<tg-spoiler>", `<span class="spoiler">`, "</tg-spoiler>", "</span>",
	"<blockquote>", `<blockquote dir="auto">`, "<blockquote expandable>", `<blockquote dir="auto">`,
	"</blockquote>\n", "</blockquote>", "</pre>\n", "</pre>",
)

// fromRight tells whether anything in a text is written from right to left: its lines
// end on either side then.
func fromRight(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Arabic, unicode.Hebrew) })
}

// Short is the beginning of a message, in a line.
func (m pageMessage) Short() string {
	text := m.Text
	if m.Document != nil {
		text = m.Document.FileName
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// size writes a number of bytes as phones do.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
}
