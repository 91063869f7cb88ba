package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"log"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Words for rag_mode.
const (
	modeEnhanced = "enhanced" // with a memory of the conversations
	modeStandard = "standard" // without
)

// An assistant is everything together.
type assistant struct {
	mode       string
	without    string // what goes on without a backup
	mostUpload int64
	pdfs       string // the folder of the PDFs
	incoming   string // of those that are being uploaded

	chroma   *chroma
	server   *server // nil if somebody else started Chroma
	gate     *gate
	holdfast *holdfast
	pdf      pdfReader

	writing sync.Mutex // one change at a time
}

//go:embed page.html style.css
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page.html"))

// Tones of a notice.
const (
	good = "good"
	warn = "warn"
	bad  = "bad"
)

// A notice tells what became of what the reader did.
type notice struct {
	Tone   string
	ID     string // of words
	Args   []any
	Backup string // a backup that it is about
}

// A page is what page.html shows.
type page struct {
	Lang      language
	Section   string
	Mode      string
	Restoring bool
	Notices   []notice

	Question string
	Answer   *answer

	Documents     []document
	Conversations []conversation
	Total         int // of conversations
	MostMB        int64

	Verdict string
	keeper  *holdfast
}

// handler gives the pages and the hooks.
func (a *assistant) handler(header string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", a.showAsk)
	mux.HandleFunc("POST /{$}", a.ask)
	mux.HandleFunc("GET /documents", a.showDocuments)
	mux.HandleFunc("POST /documents", a.upload)
	mux.HandleFunc("POST /documents/delete", a.delete)
	mux.HandleFunc("GET /documents/{file}", a.original)
	mux.HandleFunc("GET /conversations", a.showConversations)
	mux.HandleFunc("GET /data", a.showData)
	mux.HandleFunc("POST /data/clear", a.clearData)
	mux.HandleFunc("GET /status", a.status)
	mux.HandleFunc("GET /style.css", func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, files, "style.css") })
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /hooks/stop", secretly(header, a.stopHook))
	mux.HandleFunc("POST /hooks/start", secretly(header, a.startHook))
	// Pages of other sites can neither post here nor, under a name of their own that
	// leads to this machine, read.
	return hereOnly(http.NewCrossOriginProtection().Handler(mux))
}

// loopback tells whether a host name means this machine.
func loopback(host string) bool {
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func hereOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if !loopback(host) {
			http.Error(w, "this page is called 127.0.0.1 or localhost", http.StatusForbidden)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// page begins a page in the reader's language.
func (a *assistant) page(w http.ResponseWriter, r *http.Request, section string) *page {
	lang := r.URL.Query().Get("lang")
	if _, known := languages[lang]; known {
		http.SetCookie(w, &http.Cookie{Name: "lang", Value: lang, Path: "/", MaxAge: 365 * 24 * 3600, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	} else if c, err := r.Cookie("lang"); err == nil {
		lang = c.Value
	}
	return &page{
		Lang: choose(lang, r.Header.Get("Accept-Language")), Section: section, Mode: a.mode,
		Restoring: a.gate.restoring(), keeper: a.holdfast, MostMB: a.mostUpload >> 20,
	}
}

// show sends a page; an error becomes its first notice, and its status.
func (a *assistant) show(w http.ResponseWriter, p *page, err error) {
	status := http.StatusOK
	if err != nil {
		n := notice{Tone: bad, ID: "chroma.silent"}
		told, is := errors.AsType[*sentence](err)
		if is {
			n.ID, n.Args = told.id, told.args
		}
		if status = statuses[n.ID]; status == 0 {
			status = http.StatusServiceUnavailable
		}
		if !is || told.cause != nil {
			log.Print(err)
		}
		p.Notices = slices.Insert(p.Notices, 0, n)
	}
	var out bytes.Buffer
	if err := pages.Execute(&out, p); err != nil {
		log.Print(err)
		http.Error(w, "this page cannot be shown", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(out.Bytes()); err != nil {
		log.Print(err)
	}
}

// statuses are those of sentences that blame what was sent.
var statuses = map[string]int{
	"upload.none": http.StatusUnprocessableEntity, "upload.not_pdf": http.StatusUnprocessableEntity,
	"upload.large": http.StatusRequestEntityTooLarge, "pdf.text_large": http.StatusRequestEntityTooLarge,
	"pdf.encrypted": http.StatusUnprocessableEntity, "pdf.broken": http.StatusUnprocessableEntity, "pdf.slow": http.StatusUnprocessableEntity,
	"pdf.empty": http.StatusUnprocessableEntity, "ask.long": http.StatusRequestEntityTooLarge, "clear.unsure": http.StatusUnprocessableEntity,
	"documents.unknown": http.StatusNotFound,
}

const (
	longestQuestion = 2000 // bytes
	longestForm     = 16 << 10
)

func (a *assistant) showAsk(w http.ResponseWriter, r *http.Request) {
	a.show(w, a.page(w, r, "ask"), nil)
}

// ask answers a question; an enhanced assistant looks into its memory first, and
// remembers.
func (a *assistant) ask(w http.ResponseWriter, r *http.Request) {
	p := a.page(w, r, "ask")
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	p.Question = strings.TrimSpace(strings.ToValidUTF8(r.PostFormValue("question"), ""))
	if p.Question == "" {
		a.show(w, p, nil)
		return
	}
	if len(p.Question) > longestQuestion {
		a.show(w, p, say("ask.long"))
		return
	}
	err := a.gate.use(func() error {
		said, err := a.answer(r.Context(), p.Question)
		if err != nil {
			return err
		}
		p.Answer = &said
		if a.mode != modeEnhanced {
			return nil
		}
		if said.Related, err = a.related(r.Context(), p.Question); err != nil {
			return err
		}
		return a.remember(r.Context(), said)
	})
	a.show(w, p, err)
}

func (a *assistant) showConversations(w http.ResponseWriter, r *http.Request) {
	p := a.page(w, r, "conversations")
	var err error
	if !p.Restoring { // the page says so itself
		err = a.gate.use(func() (err error) {
			p.Conversations, p.Total, err = a.conversations(r.Context())
			return err
		})
	}
	a.show(w, p, err)
}

func (a *assistant) showData(w http.ResponseWriter, r *http.Request) {
	a.showDataWith(w, r, a.page(w, r, "data"), nil)
}

func (a *assistant) showDataWith(w http.ResponseWriter, r *http.Request, p *page, err error) {
	verdict, silent := a.holdfast.verdict(r.Context())
	if silent != nil {
		verdict = silent.Error()
	}
	p.Verdict = verdict
	a.show(w, p, err)
}

// clearData empties the library after a backup.
func (a *assistant) clearData(w http.ResponseWriter, r *http.Request) {
	p := a.page(w, r, "data")
	r.Body = http.MaxBytesReader(w, r.Body, longestForm)
	if r.PostFormValue("sure") == "" {
		a.showDataWith(w, r, p, say("clear.unsure"))
		return
	}
	memory := r.PostFormValue("memory") != ""
	err := a.changing(r.Context(), p, change{note: "before the data is cleared", deletes: true}, func(ctx context.Context) error {
		return a.clear(ctx, memory)
	})
	if err == nil {
		p.Notices = append([]notice{{Tone: good, ID: "clear.done"}}, p.Notices...)
	}
	a.showDataWith(w, r, p, err)
}

// changing makes a change of the data: the backup first, and then the change, which
// goes on when the reader leaves.
func (a *assistant) changing(ctx context.Context, p *page, c change, work func(context.Context) error) error {
	if a.gate.restoring() {
		return say("restore.running")
	}
	a.writing.Lock()
	defer a.writing.Unlock()
	notices, err := a.protect(ctx, c)
	p.Notices = append(p.Notices, notices...)
	if err != nil {
		return err
	}
	return a.gate.use(func() error { return work(context.WithoutCancel(ctx)) })
}

// status tells programs how it is.
func (a *assistant) status(w http.ResponseWriter, r *http.Request) {
	type collection struct {
		ID      string `json:"id"`
		Records int    `json:"records"`
	}
	out := struct {
		Mode        string                `json:"rag_mode"`
		Restoring   bool                  `json:"restoring"`
		Chroma      string                `json:"chroma"` // ok, or what is wrong
		Collections map[string]collection `json:"collections"`
	}{a.mode, a.gate.restoring(), "ok", map[string]collection{}}
	err := a.gate.use(func() error {
		ctx, cancel := context.WithTimeout(r.Context(), 5*time.Second)
		defer cancel()
		for _, name := range []string{documentCollection, memoryCollection} {
			n, err := a.chroma.count(ctx, name)
			if err != nil {
				return err
			}
			id, err := a.chroma.id(ctx, name)
			if err != nil {
				return err
			}
			out.Collections[name] = collection{id, n}
		}
		return nil
	})
	if err != nil {
		out.Chroma = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(out); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		log.Print(err)
	}
}
