package telegramtest

import (
	"cmp"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// What people do on the page of a chat. The page has no key to it: whoever
// reaches the Server's address may, as with everything that it keeps.

// serveChats lists the chats.
func (s *Server) serveChats(w http.ResponseWriter, _ *http.Request) {
	type line struct {
		ID    int64
		Title string
		Kind  string
	}
	s.mu.Lock()
	var lines []line
	for _, r := range s.state.Chats {
		title := r.Ref.Title
		if r.Ref.Type == Private {
			title = r.Ref.FirstName
		}
		lines = append(lines, line{ID: r.Ref.ID, Title: title, Kind: r.Ref.Type})
	}
	s.mu.Unlock()
	slices.SortFunc(lines, func(a, b line) int { return cmp.Compare(a.ID, b.ID) })
	render(w, "chats", lines)
}

// hand reads whose hand it is, and in which chat.
func hand(req *http.Request) (chat, as int64, err error) {
	if chat, err = strconv.ParseInt(req.PathValue("id"), 10, 64); err != nil {
		return 0, 0, err
	}
	as, err = strconv.ParseInt(req.FormValue("as"), 10, 64)
	return chat, as, err
}

// servePersonSays writes into the chat.
func (s *Server) servePersonSays(w http.ResponseWriter, req *http.Request) {
	chat, as, err := hand(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	reply, _ := strconv.Atoi(req.FormValue("reply")) // none: no reply
	if text := req.FormValue("text"); text != "" {
		if _, err := s.userWrites(as, chat, Message{Text: text}, reply); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	back(w, req, as)
}

// servePersonPresses presses a button and gives the bot's answer.
func (s *Server) servePersonPresses(w http.ResponseWriter, req *http.Request) {
	chat, as, err := hand(req)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	message, err := strconv.Atoi(req.FormValue("message"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	id, err := s.userPresses(as, chat, message, req.FormValue("data"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if req.FormValue("script") == "" {
		back(w, req, as)
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), s.o.Patience)
	defer cancel()
	a, err := s.answer(ctx, id)
	if err != nil {
		a = Answer{}
	}
	w.Header().Set("Content-Type", "application/json")
	// A page that went away has no use for an error.
	_ = json.NewEncoder(w).Encode(map[string]any{"text": a.Text, "alert": a.ShowAlert})
}

func back(w http.ResponseWriter, req *http.Request, as int64) {
	q := url.Values{"as": {strconv.FormatInt(as, 10)}}
	if theme := req.FormValue("theme"); theme != "" {
		q.Set("theme", theme)
	}
	http.Redirect(w, req, "/chat/"+req.PathValue("id")+"?"+q.Encode(), http.StatusSeeOther)
}

// serveChange answers when something has happened since the change that the
// page shows, or after a while.
func (s *Server) serveChange(w http.ResponseWriter, req *http.Request) {
	seen, _ := strconv.ParseInt(req.FormValue("seen"), 10, 64) // none: at once
	late := time.NewTimer(25 * time.Second)
	defer late.Stop()
	for {
		changed := s.watch()
		if now := s.change(); now != seen {
			_, _ = io.WriteString(w, strconv.FormatInt(now, 10))
			return
		}
		select {
		case <-changed:
		case <-late.C:
			w.WriteHeader(http.StatusNoContent)
			return
		case <-req.Context().Done():
			return
		}
	}
}

func (s *Server) change() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changes
}

// serveChatFile gives a document to the person who asks for it.
func (s *Server) serveChatFile(w http.ResponseWriter, req *http.Request) {
	chat, err := strconv.ParseInt(req.PathValue("id"), 10, 64)
	if err != nil {
		http.NotFound(w, req)
		return
	}
	id, _ := strconv.Atoi(req.PathValue("message")) // none is no message
	m, ok := s.Chat(chat).Message(id)
	if !ok || m.Document == nil {
		http.NotFound(w, req)
		return
	}
	in, err := s.Open(m.Document.FileID)
	if err != nil {
		http.NotFound(w, req)
		return
	}
	defer in.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", "attachment; filename*=UTF-8''"+url.PathEscape(m.Document.FileName))
	_, _ = io.Copy(w, in) // whoever does not read it is gone
}
