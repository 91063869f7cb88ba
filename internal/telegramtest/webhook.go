package telegramtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// A hook is where updates are posted.
type hook struct {
	URL            string
	Secret         string
	MaxConnections int
	ErrorAt        int64
	Error          string
}

// How long a webhook may take, and how long the Server waits until it tries
// one again that failed.
const (
	hookTimeout  = 60 * time.Second
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

var secretForm = regexp.MustCompile(`^[A-Za-z0-9_-]{0,256}$`)

// setWebhook implements the method. Telegram wants https; the Server takes http
// on the loopback, too, as a server of one's own does.
func setWebhook(c *call) (any, error) {
	if c.text("url") == "" {
		return deleteWebhook(c)
	}
	u, err := url.Parse(c.text("url"))
	if err != nil || u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return nil, badRequest("bad webhook: An HTTPS URL must be provided for webhook")
	}
	if !secretForm.MatchString(c.text("secret_token")) {
		return nil, badRequest("secret token contains unallowed characters")
	}
	var allowed []string
	given, err := c.object("allowed_updates", &allowed)
	if err != nil {
		return nil, err
	}
	s := c.s
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endOther(conflict("terminated by setWebhook request"))
	if given {
		s.allow(allowed)
	}
	s.drop(c)
	s.state.Hook = &hook{URL: u.String(), Secret: c.text("secret_token"), MaxConnections: int(c.number("max_connections", 40))}
	s.touch()
	return true, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// drop forgets what waits, if it is asked to.
func (s *Server) drop(c *call) {
	if c.flag("drop_pending_updates") {
		s.state.Updates = nil
	}
}

// deleteWebhook implements the method.
func deleteWebhook(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	c.s.state.Hook = nil
	c.s.drop(c)
	c.s.touch()
	return true, nil
}

// getWebhookInfo implements the method.
func getWebhookInfo(c *call) (any, error) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	info := struct {
		URL            string   `json:"url"`
		Custom         bool     `json:"has_custom_certificate"`
		Pending        int      `json:"pending_update_count"`
		ErrorAt        int64    `json:"last_error_date,omitempty"`
		Error          string   `json:"last_error_message,omitempty"`
		MaxConnections int      `json:"max_connections,omitempty"`
		Allowed        []string `json:"allowed_updates,omitempty"`
	}{Pending: len(c.s.state.Updates), Allowed: c.s.state.Allowed}
	if h := c.s.state.Hook; h != nil {
		info.URL, info.ErrorAt, info.Error, info.MaxConnections = h.URL, h.ErrorAt, h.Error, h.MaxConnections
	}
	return info, nil
}

// postUpdates posts updates to the webhook, one after the other and each until
// it is taken, until Close.
func (s *Server) postUpdates() {
	client := &http.Client{Timeout: hookTimeout, Transport: &http.Transport{Proxy: nil}}
	defer client.CloseIdleConnections()
	pause := firstPause
	for {
		changed := s.watch()
		u, h, ok := s.next()
		if !ok {
			select {
			case <-changed:
				continue
			case <-s.ctx.Done():
				return
			}
		}
		err := s.post(client, h, u)
		s.posted(u, err)
		if err == nil {
			pause = firstPause
			continue
		}
		again := time.NewTimer(pause)
		pause = min(2*pause, longestPause)
		select {
		case <-again.C:
		case <-s.ctx.Done():
			again.Stop()
			return
		}
	}
}

// next gives the first update that waits, and where it belongs.
func (s *Server) next() (update, hook, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(0)
	if s.state.Hook == nil || len(s.state.Updates) == 0 {
		return update{}, hook{}, false
	}
	return s.state.Updates[0].Update, *s.state.Hook, true
}

// post sends an update; the answer may be a call of the bot.
func (s *Server) post(client *http.Client, h hook, u update) error {
	body, err := json.Marshal(u)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.Secret != "" {
		req.Header.Set("X-Telegram-Bot-Api-Secret-Token", h.Secret)
	}
	resp, err := client.Do(req)
	if err != nil {
		return unwrapped(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, mostParam))
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		return said("Wrong response from the webhook: %s", resp.Status)
	}
	s.callOf(b)
	return nil
}

// unwrapped leaves out the address, which Telegram does not tell.
func unwrapped(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// callOf does the call that an answer of the webhook may hold. Its result is
// told to nobody.
func (s *Server) callOf(body []byte) {
	c := &call{params: map[string]string{}}
	if len(bytes.TrimSpace(body)) == 0 || c.takeJSON(body) != nil || c.text("method") == "" {
		return
	}
	name := strings.ToLower(c.text("method"))
	delete(c.params, "method")
	if _, err := s.call(context.WithoutCancel(s.ctx), name, c); err != nil {
		s.o.Logger.Warn("the call in the answer of a webhook", "method", name, "error", err)
	}
}

// posted forgets an update that was taken, or remembers why it was not.
func (s *Server) posted(u update, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		if h := s.state.Hook; h != nil {
			h.ErrorAt, h.Error = s.now(), err.Error()
		}
		return
	}
	s.forget(u.ID + 1)
	s.touch()
}
