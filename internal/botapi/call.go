package botapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/go-telegram/bot"

	"github.com/holdfast-backup/holdfast"
)

// The pauses between attempts at what passes by itself.
const (
	firstPause = 500 * time.Millisecond
	mostPause  = 30 * time.Second
)

// leastAttempts are made even if each takes longer than the patience, as that of a large
// file does on a slow line.
const leastAttempts = 3

// mostRetryAfter bounds the seconds after which Telegram may ask to be asked again: a
// number that no time has must not become none.
const mostRetryAfter = 24 * 60 * 60

// mostMoves is how often a chat may have another number in one call.
const mostMoves = 3

// unpaced are the calls that name a chat and show nothing in it.
var unpaced = map[string]bool{"getChat": true, "deleteMessage": true}

// call makes one call of the Bot API, at the pace that is allowed, and again for as long as
// it fails in a way that passes by itself. The chat is nil where there is none.
func (c *Client) call(ctx context.Context, method string, chat any, do func(ctx context.Context, chat any) error) error {
	var began time.Time
	pause, moves := firstPause, 0
	for attempt := 1; ; attempt++ {
		chat = c.movedTo(chat)
		shown := chat
		if unpaced[method] {
			shown = nil
		}
		if held := c.pace.held(shown); held > c.o.Patience {
			return c.fail(method, chat, &bot.TooManyRequestsError{RetryAfter: int((held + time.Second - 1) / time.Second)})
		}
		if err := c.pace.await(ctx, shown, c.o.Wait); err != nil {
			return c.stopped(method, chat, err)
		}
		if began.IsZero() {
			began = c.o.Now()
		}
		err := do(ctx, chat)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return c.stopped(method, chat, context.Cause(ctx))
		}
		if to, ok := errors.AsType[*bot.MigrateError](err); ok && chat != nil && moves < mostMoves {
			c.move(chat, int64(to.MigrateToChatID))
			moves++
			continue
		}
		again, passes := pause, passing(err)
		if limited, ok := errors.AsType[*bot.TooManyRequestsError](err); ok {
			again = time.Duration(min(max(1, limited.RetryAfter), mostRetryAfter)) * time.Second
			c.pace.hold(shown, again)
		}
		if !passes || again > c.o.Patience || attempt >= leastAttempts && c.o.Now().Sub(began)+again > c.o.Patience {
			return c.fail(method, chat, err)
		}
		c.log.Debug("telegram is asked again", "method", method, "after", again, "error", c.clean(err))
		if err := c.o.Wait(ctx, again); err != nil {
			return c.stopped(method, chat, err)
		}
		pause = min(2*pause, mostPause)
	}
}

// passing tells whether something that failed may work in a moment: the network, a server
// in trouble, or one that has too much to do.
func passing(err error) bool {
	if status, ok := errors.AsType[*statusError](err); ok {
		return status.code >= http.StatusInternalServerError || status.code == http.StatusTooManyRequests
	}
	if _, ok := errors.AsType[*bot.MigrateError](err); ok {
		return false
	}
	if unreadable(err) || wantsAnotherPassword(err) {
		return false
	}
	if _, ours := errors.AsType[*holdfast.Error](err); ours {
		return false
	}
	for _, final := range []error{bot.ErrorForbidden, bot.ErrorBadRequest, bot.ErrorUnauthorized, bot.ErrorNotFound, bot.ErrorConflict, errSource} {
		if errors.Is(err, final) {
			return false
		}
	}
	return true
}

// errSource marks that what was to be sent cannot be read: no server can help.
var errSource = errors.New("it cannot be read")

// object names a chat.
func object(chat any) string {
	if chat == nil {
		return ""
	}
	return "chat " + key(chat)
}

func key(chat any) string { return fmt.Sprint(chat) }

// movedTo gives the present id of a chat.
func (c *Client) movedTo(chat any) any {
	if chat == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if to, ok := c.moved[key(chat)]; ok {
		return to
	}
	return chat
}

// move remembers that a group has become a supergroup, which has another id.
func (c *Client) move(chat any, to int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved[key(chat)] = to
	c.log.Warn("the group has become a supergroup: put its new number into the configuration", "chat", key(chat), "now", strconv.FormatInt(to, 10))
}
