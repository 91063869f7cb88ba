package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
)

// A Fault does something to an exchange in place of Exchange.Pass.
type Fault func(x *Exchange)

// Survivable gives the faults that no client should notice, by name.
func Survivable() map[string]Fault {
	return map[string]Fault{
		"500":                Refuse(http.StatusInternalServerError),
		"503":                Refuse(http.StatusServiceUnavailable),
		"429":                Refuse(http.StatusTooManyRequests),
		"cut upload":         CutUpload(1000),
		"cut upload at once": CutUpload(0),
		"cut answer":         CutAnswer(500),
		"lost answer":        LoseAnswer(),
		"duplicate":          Duplicate(),
		"delay":              Delay(100 * time.Millisecond),
		"slow":               Slow(1 << 20),
	}
}

// Refuse answers with a status and does not ask the server.
func Refuse(status int) Fault {
	return func(x *Exchange) {
		_, _ = io.Copy(io.Discard, x.Request.Body)
		code := map[int]string{
			http.StatusForbidden:           "AccessDenied",
			http.StatusInternalServerError: "InternalError",
			http.StatusServiceUnavailable:  "SlowDown",
			http.StatusTooManyRequests:     "SlowDown",
		}[status]
		x.w.Header().Set("Content-Type", "application/xml")
		x.w.WriteHeader(status)
		fmt.Fprintf(x.w, "<Error><Code>%s</Code><Message>a fault of the test</Message></Error>", code)
	}
}

// CutUpload sends the beginning of the request to the server and then cuts both
// connections.
func CutUpload(after int64) Fault {
	return func(x *Exchange) {
		if x.Request.ContentLength > after {
			answer, err := x.Ask(io.MultiReader(io.LimitReader(x.Request.Body, after), failing{}))
			if err == nil {
				_ = answer.Body.Close()
			}
		}
		x.Cut()
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("cut by the test") }

// CutAnswer cuts the connection after so many bytes of the answer's body.
func CutAnswer(after int64) Fault {
	return func(x *Exchange) {
		answer, err := x.Ask(nil)
		if err != nil {
			x.Cut()
			return
		}
		x.Answer(answer, io.MultiReader(io.LimitReader(answer.Body, after), failing{}))
	}
}

// LoseAnswer lets the server do it and tells the client nothing.
func LoseAnswer() Fault {
	return func(x *Exchange) {
		if answer, err := x.Ask(nil); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		x.Cut()
	}
}

// Duplicate asks the server twice and gives the second answer.
func Duplicate() Fault {
	return func(x *Exchange) {
		body, err := io.ReadAll(x.Request.Body)
		if err != nil {
			x.Cut()
			return
		}
		if first, err := x.Ask(bytes.NewReader(body)); err == nil {
			_, _ = io.Copy(io.Discard, first.Body)
			_ = first.Body.Close()
		}
		answer, err := x.Ask(bytes.NewReader(body))
		if err != nil {
			x.Cut()
			return
		}
		x.Answer(answer, answer.Body)
	}
}

// Delay gives the answer later.
func Delay(by time.Duration) Fault {
	return func(x *Exchange) {
		answer, err := x.Ask(nil)
		if err != nil {
			x.Cut()
			return
		}
		select {
		case <-time.After(by):
			x.Answer(answer, answer.Body)
		case <-x.Request.Context().Done():
			_ = answer.Body.Close()
		}
	}
}

// Hold keeps the request from the server until the channel is closed, whatever
// becomes of the client meanwhile. It tells when it holds one, and with which
// status the server answered in the end.
func Hold(held chan<- struct{}, until <-chan struct{}, arrived chan<- int) Fault {
	return func(x *Exchange) {
		body, err := io.ReadAll(x.Request.Body)
		if err != nil {
			x.Cut()
			return
		}
		held <- struct{}{}
		<-until
		x.Request = x.Request.WithContext(context.WithoutCancel(x.Request.Context()))
		answer, err := x.Ask(bytes.NewReader(body))
		if err != nil {
			x.Cut()
			return
		}
		arrived <- answer.StatusCode
		x.Answer(answer, answer.Body)
	}
}

// Slow passes bytes on at a rate.
func Slow(bytesASecond int) Fault {
	return func(x *Exchange) {
		answer, err := x.Ask(slow{x.Request.Body, bytesASecond})
		if err != nil {
			x.Cut()
			return
		}
		x.Answer(answer, slow{answer.Body, bytesASecond})
	}
}

type slow struct {
	r    io.Reader
	rate int
}

func (s slow) Read(p []byte) (int, error) {
	n, err := s.r.Read(p[:min(len(p), max(1, s.rate/20))])
	time.Sleep(time.Duration(n) * time.Second / time.Duration(s.rate))
	return n, err
}

// IsList tells whether a request is for a listing of objects.
func IsList(r *http.Request) bool {
	return r.Method == http.MethodGet && r.URL.Query().Has("list-type")
}

// Is tells whether a request has a method and a key that ends so.
func Is(method, suffix string) func(r *http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, suffix)
	}
}

// listing is an answer that was given before.
type listing struct {
	answer *http.Response
	body   []byte
	until  time.Time
}

// StaleList gives each listing again as it was for a while, whatever has been
// written or removed since. It is for requests that IsList.
func StaleList(lasting time.Duration) Fault {
	return func(x *Exchange) {
		key := x.Request.URL.String()
		x.p.mu.Lock()
		old, ok := x.p.lists[key]
		x.p.mu.Unlock()
		if !ok || time.Now().After(old.until) {
			answer, err := x.Ask(nil)
			if err != nil {
				x.Cut()
				return
			}
			body, err := io.ReadAll(answer.Body)
			if err = errors.Join(err, answer.Body.Close()); err != nil {
				x.Cut()
				return
			}
			old = listing{answer, body, time.Now().Add(lasting)}
			x.p.mu.Lock()
			x.p.lists[key] = old
			x.p.mu.Unlock()
		}
		x.Answer(old.answer, bytes.NewReader(old.body))
	}
}

// Unconditional makes the server one that does not know a header such as
// If-Match: it carries out whatever the condition says.
func Unconditional(t *testing.T, s *Server, header string) Rule {
	t.Helper()
	client := s.Client(t)
	return Rule{
		When: func(r *http.Request) bool { return r.Method == http.MethodPut && r.Header.Get(header) != "" },
		Fault: func(x *Exchange) {
			bucketName, key, _ := strings.Cut(strings.TrimPrefix(x.Request.URL.Path, "/"), "/")
			o := minio.PutObjectOptions{UserMetadata: map[string]string{}, DisableContentSha256: true}
			for name, values := range x.Request.Header {
				if meta, ok := strings.CutPrefix(name, "X-Amz-Meta-"); ok {
					o.UserMetadata[meta] = values[0]
				}
			}
			info, err := client.PutObject(x.Request.Context(), bucketName, key, x.Request.Body, x.Request.ContentLength, "", "", o)
			if err != nil {
				x.Cut()
				return
			}
			x.w.Header().Set("ETag", `"`+info.ETag+`"`)
		},
	}
}
