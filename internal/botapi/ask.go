package botapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/go-telegram/bot"
)

// errUnreadable tells of an answer that came whole and has a form that this version does
// not know. What was asked for may have been done: it is not asked for again.
var errUnreadable = errors.New("the answer cannot be read")

// undecoded is how the library begins its errors of that kind.
const undecoded = "error decode response"

// unreadable tells whether an answer came that nobody can read, now or in a moment.
func unreadable(err error) bool {
	return errors.Is(err, errUnreadable) || errors.Is(err, errEndless) || strings.HasPrefix(err.Error(), undecoded)
}

// ask makes one call with parameters and an answer in JSON, where the library reads more
// of an answer than is wanted and fails over what it does not know.
func (c *Client) ask(ctx context.Context, method string, params map[string]any, result any) error {
	question, err := json.Marshal(params)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.o.API+"/bot"+c.o.Token+"/"+method, bytes.NewReader(question))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	var a answer
	if err := json.Unmarshal(body, &a); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	if !a.OK {
		return a.refusal()
	}
	if err := json.Unmarshal(a.Result, result); err != nil {
		return fmt.Errorf("%w: %w", errUnreadable, err)
	}
	return nil
}

// An answer is what the Bot API says to every call.
type answer struct {
	OK          bool
	Result      json.RawMessage
	Description string
	Code        int `json:"error_code"`
	Parameters  struct {
		RetryAfter int   `json:"retry_after"`
		MovedTo    int64 `json:"migrate_to_chat_id"`
	}
}

// refusal is the error that the library makes of the same answer.
func (a answer) refusal() error {
	kind := bot.ErrorBadRequest
	switch a.Code {
	case http.StatusTooManyRequests:
		return &bot.TooManyRequestsError{Message: a.Description, RetryAfter: a.Parameters.RetryAfter}
	case http.StatusConflict:
		kind = bot.ErrorConflict
	case http.StatusForbidden:
		kind = bot.ErrorForbidden
	case http.StatusUnauthorized, http.StatusNotFound:
		kind = bot.ErrorUnauthorized
	default:
		if a.Parameters.MovedTo != 0 {
			return &bot.MigrateError{Message: a.Description, MigrateToChatID: int(a.Parameters.MovedTo)}
		}
	}
	return fmt.Errorf("%w, %s", kind, a.Description)
}
