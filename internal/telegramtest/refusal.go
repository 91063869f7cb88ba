package telegramtest

import (
	"fmt"
	"net/http"
)

// A refusal is an error as the Bot API tells it.
type refusal struct {
	Code        int
	Description string
	RetryAfter  int
	MigrateTo   int64
}

func (r *refusal) Error() string { return fmt.Sprintf("%d %s", r.Code, r.Description) }

func badRequest(format string, a ...any) *refusal {
	return &refusal{Code: http.StatusBadRequest, Description: "Bad Request: " + fmt.Sprintf(format, a...)}
}

func forbidden(format string, a ...any) *refusal {
	return &refusal{Code: http.StatusForbidden, Description: "Forbidden: " + fmt.Sprintf(format, a...)}
}

func conflict(text string) *refusal {
	return &refusal{Code: http.StatusConflict, Description: "Conflict: " + text}
}

func tooMany(seconds int) *refusal {
	return &refusal{Code: http.StatusTooManyRequests, Description: fmt.Sprintf("Too Many Requests: retry after %d", seconds), RetryAfter: seconds}
}

// A saying is an error in the words of Telegram's server, which begin with a
// capital.
type saying string

func (s saying) Error() string { return string(s) }

func said(format string, a ...any) error { return saying(fmt.Sprintf(format, a...)) }

// Refusals that several methods share.
var (
	errUnauthorized = &refusal{Code: http.StatusUnauthorized, Description: "Unauthorized"}
	errNoMethod     = &refusal{Code: http.StatusNotFound, Description: "Not Found: method not found"}
	errNotFound     = &refusal{Code: http.StatusNotFound, Description: "Not Found"}
	errTooLarge     = &refusal{Code: http.StatusRequestEntityTooLarge, Description: "Request Entity Too Large"}
	errChatNotFound = badRequest("chat not found")
)

// parameters are what a client may act on.
func (r *refusal) parameters() map[string]any {
	p := map[string]any{}
	if r.RetryAfter != 0 {
		p["retry_after"] = r.RetryAfter
	}
	if r.MigrateTo != 0 {
		p["migrate_to_chat_id"] = r.MigrateTo
	}
	if len(p) == 0 {
		return nil
	}
	return p
}
