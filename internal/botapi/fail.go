package botapi

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// What is said of a message, and of nothing else: other refusals, such as of a bot that
// asks too often or is no longer a member, tell nothing about it, and pass.
var (
	// ErrNoMessage is that the message is gone. It is also holdfast.ErrNotFound.
	ErrNoMessage = holdfast.Kindf(holdfast.ErrNotFound, "no such message")
	// ErrFixedMessage is that the message stays as it is: it is too old, or somebody
	// else's. It is also holdfast.ErrRefused.
	ErrFixedMessage = holdfast.Kindf(holdfast.ErrRefused, "the message stays as it is")
)

// stopped says that a call ended because its context did.
func (c *Client) stopped(method string, chat any, cause error) error {
	return &holdfast.Error{Op: "telegram " + method, Object: object(chat), Err: cause}
}

// fail says what failed in the words of holdfast. The library's own error is left behind
// where it may hold a URL, which holds the token.
func (c *Client) fail(method string, chat any, err error) error {
	if e, ok := errors.AsType[*holdfast.Error](err); ok {
		return e
	}
	e := &holdfast.Error{Op: "telegram " + method, Object: object(chat)}
	if errors.Is(err, errSource) {
		e.Err = redact.Error(err, c.secrets()...)
		return e
	}
	if unreadable(err) { // its text quotes the answer, however long that is
		e.Err = errors.New("the answer has a form that this version does not know; what was asked for may have been done")
		e.Hint = "look for a newer version of holdfast, and whether " + c.host() + " is a server of the Bot API (telegram.api)"
		return e
	}
	said := c.clean(err)
	if a := c.judge(err, said); a != nil {
		e.Err, e.Hint = errors.New(a.text), a.hint
		if a.kind != nil {
			e.Err = holdfast.Kindf(a.kind, "%s", a.text)
		}
		return e
	}
	e.Err, e.Cause = errors.New(said), holdfast.CauseUnreachable
	e.Hint = "look whether " + c.host() + " can be reached from here; telegram.proxy names a proxy, telegram.api another server"
	return e
}

// A verdict is what a refusal of the Bot API is in our words: its kind in the vocabulary
// (nil: none), a sentence for it and what to do.
type verdict struct {
	kind       error
	text, hint string
}

// judge says what an answer is; nil: it is none of the Bot API.
func (c *Client) judge(err error, said string) *verdict {
	lower := strings.ToLower(said)
	says := func(parts ...string) bool {
		for _, p := range parts {
			if strings.Contains(lower, p) {
				return true
			}
		}
		return false
	}
	if status, ok := errors.AsType[*statusError](err); ok {
		switch {
		case status.code == http.StatusProxyAuthRequired:
			return wrongAtTheProxy()
		case status.proxy:
			return nil
		}
		switch status.code {
		case http.StatusRequestEntityTooLarge:
			return &verdict{holdfast.ErrRefused, "the file is too large", "a bot can send 50 MB and fetch 20 MB"}
		case http.StatusNotFound, http.StatusGone:
			return &verdict{holdfast.ErrNotFound, said, "look whether " + c.host() + " is a server of the Bot API (telegram.api)"}
		}
		return nil
	}
	if wantsAnotherPassword(err) {
		return wrongAtTheProxy()
	}
	if limited, ok := errors.AsType[*bot.TooManyRequestsError](err); ok {
		return &verdict{holdfast.ErrRefused, fmt.Sprintf("Telegram takes nothing more for %d seconds", limited.RetryAfter), "try again then; less at once is taken sooner"}
	}
	if _, ok := errors.AsType[*bot.MigrateError](err); ok {
		return &verdict{holdfast.ErrNotFound, "the group has become a supergroup", "put its new number into the configuration"}
	}
	switch {
	case errors.Is(err, bot.ErrorUnauthorized), errors.Is(err, bot.ErrorNotFound):
		hint := "look whether it is the bot's newest (HOLDFAST_TELEGRAM_TOKEN)"
		if c.ownServer() {
			hint += ", and whether " + c.host() + " is a server of the Bot API (telegram.api)"
		}
		return &verdict{holdfast.ErrUsage, "the token is not accepted", hint}
	case errors.Is(err, bot.ErrorConflict) && says("webhook"):
		return &verdict{holdfast.ErrLocked, "the updates of this bot go to a webhook", "take the webhook away, or pass the updates on to the HTTP API (telegram.updates: api)"}
	case errors.Is(err, bot.ErrorConflict):
		return &verdict{holdfast.ErrLocked, "another program fetches the updates of this bot", "end it, or give this one a bot of its own"}
	case errors.Is(err, bot.ErrorForbidden):
		return &verdict{holdfast.ErrRefused, said, "the bot must be a member of the chat, and a person must have written to it first (/start)"}
	case !errors.Is(err, bot.ErrorBadRequest):
		return nil
	case says("too large", "file is too big", "too big"):
		return &verdict{holdfast.ErrRefused, said, "a bot can send 50 MB and fetch 20 MB"}
	case says("chat not found", "peer_id_invalid"):
		return &verdict{holdfast.ErrNotFound, said, "write to the bot first, or add it to the group, and look at the number of the chat"}
	case says("message_id_invalid"), says("message") && says("not found"):
		return &verdict{ErrNoMessage, said, ""}
	case says("not found"):
		return &verdict{holdfast.ErrNotFound, said, ""}
	case says("not enough rights", "no rights", "administrator", "admin_required"):
		return &verdict{holdfast.ErrRefused, said, "give the bot this right in the chat"}
	case says("can't be deleted", "can't be edited"):
		return &verdict{ErrFixedMessage, said, ""}
	case says("deactivated", "wrong file"):
		return &verdict{holdfast.ErrRefused, said, ""}
	}
	return &verdict{nil, said, ""}
}

// wantsAnotherPassword tells whether a SOCKS proxy turned the name and the password away:
// net/http has only words for it.
func wantsAnotherPassword(err error) bool {
	at, ok := errors.AsType[*net.OpError](err)
	return ok && strings.HasPrefix(at.Op, "socks") && strings.Contains(at.Error(), "username/password")
}

func wrongAtTheProxy() *verdict {
	return &verdict{holdfast.ErrUsage, "the proxy wants another name or password", "look at telegram.proxy"}
}

// ownServer tells whether somebody else than Telegram runs the server.
func (c *Client) ownServer() bool {
	return !strings.HasSuffix(strings.ToLower(c.api.Hostname()), ".telegram.org")
}

// host is the server as people see it.
func (c *Client) host() string {
	_, host, _ := strings.Cut(c.o.API, "://")
	return host
}

// secrets are what may be in no text.
func (c *Client) secrets() []string {
	_, secret, _ := strings.Cut(c.o.Token, ":")
	return append(redact.Secrets(c.o.Proxy), c.o.Token, secret)
}

// noise are words that the library and Telegram put before what is said.
var noise = []string{
	"bad request, ", "forbidden, ", "unauthorized, ", "not found, ", "conflict, ",
	"Bad Request: ", "Forbidden: ", "Conflict: ",
}

// clean is what an error says, without secrets and without the URL that was asked.
func (c *Client) clean(err error) string {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		err = asked.Err
	}
	text := redact.Text(err.Error(), c.secrets()...)
	for _, n := range noise {
		text = strings.TrimPrefix(text, n)
	}
	return text
}
