package telegramtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
)

// Limits of a request.
const (
	mostUpload = 50 << 20   // bytes of a file
	mostLocal  = 2000 << 20 // bytes of a file for a server of one's own
	mostParam  = 1 << 20    // bytes of a parameter
	mostParams = 100
)

// A call is a request of the bot that has been read.
type call struct {
	s      *Server
	ctx    context.Context
	params map[string]string
	files  map[string]*upload
}

// An upload is a file of a request, on the disk.
type upload struct {
	name string
	mime string
	path string
	size int64
}

// discard removes uploads that nobody took.
func (c *call) discard() {
	for _, u := range c.files {
		if u.path != "" {
			_ = os.Remove(u.path) // temporary, and its folder is, too
		}
	}
}

// read reads the parameters of a request in each of the forms that the Bot API
// takes: the query, a form, JSON, and multipart with files.
func (s *Server) read(req *http.Request) (*call, error) {
	c := &call{s: s, params: map[string]string{}, files: map[string]*upload{}}
	c.take(req.URL.Query())
	kind, attrs, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return c, nil // no body that could be read
	}
	switch kind {
	case "application/json":
		err = c.readJSON(req.Body)
	case "application/x-www-form-urlencoded":
		err = c.readForm(req.Body)
	case "multipart/form-data":
		err = c.readParts(multipart.NewReader(req.Body, attrs["boundary"]))
	}
	if err != nil {
		c.discard()
		drain(req)
		return nil, err
	}
	return c, nil
}

// drain reads the rest of a body, so that a client that is still sending gets
// to the answer.
func drain(req *http.Request) {
	const most = 100 << 20
	_, _ = io.CopyN(io.Discard, req.Body, most) // it may have broken off
}

func (c *call) take(values url.Values) {
	for k, v := range values {
		c.params[k] = v[0]
	}
}

func (c *call) readForm(r io.Reader) error {
	b, err := limited(r)
	if err != nil {
		return err
	}
	values, err := url.ParseQuery(string(b))
	if err != nil {
		return badRequest("can't parse the form")
	}
	c.take(values)
	return nil
}

func (c *call) readJSON(r io.Reader) error {
	b, err := limited(r)
	if err != nil {
		return err
	}
	return c.takeJSON(b)
}

// takeJSON takes the fields of an object; what is no string stays JSON.
func (c *call) takeJSON(b []byte) error {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(b, &fields); err != nil {
		return badRequest("can't parse JSON object")
	}
	for k, raw := range fields {
		var text string
		if json.Unmarshal(raw, &text) == nil {
			c.params[k] = text
		} else {
			c.params[k] = string(raw)
		}
	}
	return nil
}

func (c *call) readParts(r *multipart.Reader) error {
	for range mostParams {
		part, err := r.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return badRequest("the request ended early")
		}
		name := part.FormName()
		if part.FileName() == "" {
			b, err := limited(part)
			if err != nil {
				return err
			}
			c.params[name] = string(b)
			continue
		}
		u, err := c.s.spool(part)
		if u != nil {
			c.files[name] = u
		}
		if err != nil {
			return err
		}
	}
	return badRequest("too many parameters")
}

// spool brings a file of a request to the disk.
func (s *Server) spool(part *multipart.Part) (*upload, error) {
	f, err := os.CreateTemp(s.files, ".upload-*")
	if err != nil {
		return nil, err
	}
	u := &upload{name: part.FileName(), mime: part.Header.Get("Content-Type"), path: f.Name()}
	most := int64(mostUpload)
	if s.o.Local {
		most = mostLocal
	}
	u.size, err = io.Copy(f, io.LimitReader(part, most+1))
	if closed := f.Close(); err == nil {
		err = closed
	}
	switch {
	case err != nil:
		return u, badRequest("the request ended early")
	case u.size > most:
		return u, errTooLarge
	}
	return u, nil
}

func limited(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, mostParam+1))
	if err != nil {
		return nil, badRequest("the request ended early")
	}
	if len(b) > mostParam {
		return nil, errTooLarge
	}
	return b, nil
}

// text gives a parameter.
func (c *call) text(name string) string { return c.params[name] }

// number gives a parameter that is a number; def if it is absent or none.
func (c *call) number(name string, def int64) int64 {
	if n, err := strconv.ParseInt(strings.TrimSpace(c.params[name]), 10, 64); err == nil {
		return n
	}
	return def
}

// flag gives a parameter that is a boolean.
func (c *call) flag(name string) bool {
	switch strings.ToLower(c.params[name]) {
	case "true", "yes", "1":
		return true
	}
	return false
}

// object reads a parameter that is JSON; it tells whether it was there.
func (c *call) object(name string, v any) (bool, error) {
	text := strings.TrimSpace(c.params[name])
	if text == "" || text == "null" {
		return false, nil
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return true, badRequest("can't parse %s: %v", strings.ReplaceAll(name, "_", " "), err)
	}
	return true, nil
}
