package telegramtest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/holdfast-backup/holdfast/internal/web/assets"
)

// A Call is a request that the bot made.
type Call struct {
	Method string
	Params map[string]string // files by their names only
	Error  string            // description of the refusal; empty if it was done
}

// mostCalls bounds what Calls remembers.
const mostCalls = 2000

// Calls are the latest requests of the bot, the oldest first, getUpdates left
// out.
func (s *Server) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Call(nil), s.calls...)
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", s.serveBot)
	mux.HandleFunc("GET /{$}", s.serveChats)
	mux.HandleFunc("GET /chat/{id}", s.serveChat)
	mux.HandleFunc("POST /chat/{id}/say", s.servePersonSays)
	mux.HandleFunc("POST /chat/{id}/press", s.servePersonPresses)
	mux.HandleFunc("GET /chat/{id}/file/{message}", s.serveChatFile)
	mux.HandleFunc("GET /changes", s.serveChange)
	mux.Handle("GET "+assets.Root, assets.Handler())
	return mux
}

// serveBot answers /bot<token>/<method> and /file/bot<token>/<path>.
func (s *Server) serveBot(w http.ResponseWriter, req *http.Request) {
	path := strings.TrimPrefix(req.URL.Path, "/")
	rest, isFile := strings.CutPrefix(path, "file/")
	rest, isBot := strings.CutPrefix(rest, "bot")
	token, name, ok := strings.Cut(rest, "/")
	if !isBot || !ok {
		reply(w, nil, errNotFound)
		return
	}
	if err := s.authorize(token); err != nil {
		reply(w, nil, err)
		return
	}
	if isFile {
		s.serveFile(w, req, name)
		return
	}
	name = strings.ToLower(name)
	f, faulty := s.fault(name)
	if faulty {
		s.remember(Call{Method: name, Error: f.String()})
		if f.before(w, req) {
			return
		}
	}
	c, err := s.read(req)
	if err != nil {
		s.remember(Call{Method: name, Error: err.Error()})
		reply(w, nil, err)
		return
	}
	result, err := s.call(req.Context(), name, c)
	if faulty {
		f.after()
	}
	reply(w, result, err)
}

// authorize checks a token: what has not the form of one is not found, what is
// not the bot's is not accepted.
func (s *Server) authorize(token string) error {
	if _, err := botID(token); err != nil {
		return errNotFound
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if token != s.state.Token {
		return errUnauthorized
	}
	return nil
}

// call does what a method says.
func (s *Server) call(ctx context.Context, name string, c *call) (any, error) {
	c.s, c.ctx = s, ctx
	defer c.discard()
	m, ok := methods[name]
	if !ok {
		s.remember(Call{Method: name, Params: c.params, Error: errNoMethod.Description})
		return nil, errNoMethod
	}
	result, err := m.do(c)
	if name != "getupdates" {
		done := Call{Method: m.name, Params: c.params}
		if err != nil {
			done.Error = err.Error()
		}
		s.remember(done)
	}
	s.o.Logger.Debug("call", "method", m.name, "error", err)
	return result, err
}

func (s *Server) remember(c Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.calls) == mostCalls {
		s.calls = s.calls[1:]
	}
	s.calls = append(s.calls, c)
	s.wake()
}

// reply sends a result or an error.
func reply(w http.ResponseWriter, result any, err error) {
	body := map[string]any{"ok": err == nil}
	code := http.StatusOK
	if err != nil {
		r, ok := errors.AsType[*refusal](err)
		if !ok {
			r = &refusal{Code: http.StatusInternalServerError, Description: "Internal Server Error: " + err.Error()}
		}
		code = r.Code
		body["error_code"], body["description"] = r.Code, r.Description
		if p := r.parameters(); p != nil {
			body["parameters"] = p
		}
	} else {
		body["result"] = result
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	// A client that went away has no use for an error.
	_ = json.NewEncoder(w).Encode(body)
}
