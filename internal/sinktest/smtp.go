package sinktest

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// An Email is one that was received.
type Email struct {
	From    string
	To      []string
	Subject string // decoded
	Header  mail.Header
	Body    string // with line feeds
	User    string // who sent it, if he said so
	At      time.Time
}

// A Refusal says how the SMTP server misbehaves; the zero value does not.
type Refusal struct {
	Command string // EHLO, AUTH, MAIL, RCPT, DATA: this one is refused
	Reply   string // with what; empty: "550 no"
	Hang    bool   // or never answered
}

// SMTP is a mail server that records.
type SMTP struct {
	Addr string // host:port

	user, password string

	mu      sync.Mutex
	emails  []Email
	refusal Refusal
	conns   map[net.Conn]bool
	closed  bool
	wg      sync.WaitGroup
}

// NewSMTP starts a server. With a user, it takes e-mails of that user alone.
func NewSMTP(t testing.TB, user, password string) *SMTP {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &SMTP{Addr: l.Addr().String(), user: user, password: password, conns: map[net.Conn]bool{}}
	s.wg.Go(func() { s.accept(l) })
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		s.mu.Lock()
		s.closed = true
		for c := range s.conns {
			_ = c.Close() // its peer may have done so already
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

// Refuse makes the server misbehave from now on.
func (s *SMTP) Refuse(r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refusal = r
}

// Emails gives what was received.
func (s *SMTP) Emails() []Email {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Email(nil), s.emails...)
}

func (s *SMTP) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			_ = c.Close()
			return
		}
		s.conns[c] = true
		s.mu.Unlock()
		s.wg.Go(func() {
			defer func() {
				s.mu.Lock()
				delete(s.conns, c)
				s.mu.Unlock()
				_ = c.Close() // may be closed already
			}()
			(&session{s: s, c: c, r: textproto.NewReader(bufio.NewReader(c))}).serve()
		})
	}
}

// A session is one connection.
type session struct {
	s    *SMTP
	c    net.Conn
	r    *textproto.Reader
	mail Email
}

// say answers; false ends the session.
func (c *session) say(format string, args ...any) bool {
	_, err := fmt.Fprintf(c.c, format+"\r\n", args...)
	return err == nil
}

func (c *session) serve() {
	for ok := c.say("220 sink.test ESMTP"); ok; {
		line, err := c.r.ReadLine()
		if err != nil {
			return
		}
		ok = c.answer(line)
	}
}

// answer does what a command asks; false ends the session.
func (c *session) answer(line string) bool {
	word, rest, _ := strings.Cut(line, " ")
	word = strings.ToUpper(word)
	c.s.mu.Lock()
	refusal := c.s.refusal
	c.s.mu.Unlock()
	if refusal.Command == word {
		if refusal.Hang {
			_, _ = io.Copy(io.Discard, c.c) // until the peer gives up
			return false
		}
		if refusal.Reply == "" {
			return c.say("550 no")
		}
		return c.say("%s", refusal.Reply)
	}
	switch word {
	case "HELO":
		return c.say("250 sink.test")
	case "EHLO":
		return c.say("250-sink.test\r\n250-8BITMIME\r\n250 AUTH PLAIN")
	case "AUTH":
		return c.auth(rest)
	case "MAIL":
		if c.s.user != "" && c.mail.User == "" {
			return c.say("530 authenticate first")
		}
		c.mail = Email{User: c.mail.User, From: address(rest)}
		return c.say("250 ok")
	case "RCPT":
		c.mail.To = append(c.mail.To, address(rest))
		return c.say("250 ok")
	case "DATA":
		return c.data()
	case "RSET", "NOOP":
		return c.say("250 ok")
	case "QUIT":
		c.say("221 bye")
		return false
	}
	return c.say("502 unknown")
}

func (c *session) auth(rest string) bool {
	kind, encoded, _ := strings.Cut(rest, " ")
	plain, err := base64.StdEncoding.DecodeString(encoded)
	parts := strings.Split(string(plain), "\x00")
	if !strings.EqualFold(kind, "PLAIN") || err != nil || len(parts) != 3 || parts[1] != c.s.user || parts[2] != c.s.password {
		// Some servers quote what they got.
		return c.say("535 %s is not the password of %s", parts[len(parts)-1], c.s.user)
	}
	c.mail.User = parts[1]
	return c.say("235 welcome")
}

func (c *session) data() bool {
	if !c.say("354 go on") {
		return false
	}
	text, err := c.r.ReadDotBytes()
	if err != nil {
		return false
	}
	m, err := mail.ReadMessage(strings.NewReader(string(text)))
	if err != nil {
		return c.say("554 %v", err)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		return c.say("554 %v", err)
	}
	c.mail.Header, c.mail.Body, c.mail.At = m.Header, string(body), time.Now()
	c.mail.Subject = m.Header.Get("Subject")
	if decoded, err := new(mime.WordDecoder).DecodeHeader(c.mail.Subject); err == nil {
		c.mail.Subject = decoded
	}
	c.s.mu.Lock()
	c.s.emails = append(c.s.emails, c.mail)
	c.s.mu.Unlock()
	return c.say("250 queued")
}

// address takes the address out of FROM:<a@b> BODY=8BITMIME.
func address(rest string) string {
	_, rest, _ = strings.Cut(rest, "<")
	a, _, _ := strings.Cut(rest, ">")
	return a
}
