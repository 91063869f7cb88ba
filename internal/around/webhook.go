package around

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/redact"
)

// The headers of what a webhook gets.
const (
	headerEvent     = "X-Holdfast-Event"
	headerDelivery  = "X-Holdfast-Delivery"
	headerSignature = "X-Holdfast-Signature"
)

// webhooks are the configured URLs.
type webhooks struct {
	config.Webhooks
	poster *poster
}

// A message is the JSON that a webhook gets. Its fields are a contract of
// docs/alarms.md: fields are added, never renamed.
type message struct {
	Event       string              `json:"event"`
	Operation   string              `json:"operation,omitempty"`
	Op          string              `json:"op"`
	Trigger     holdfast.Trigger    `json:"trigger,omitempty"`
	Backup      holdfast.BackupName `json:"backup,omitempty"`
	Sources     []string            `json:"sources"`
	Result      result              `json:"result,omitempty"`
	Error       string              `json:"error,omitempty"`
	Hint        string              `json:"hint,omitempty"`
	Problems    []holdfast.Problem  `json:"problems,omitempty"`
	Begun       holdfast.Time       `json:"begun"`
	DurationMS  int64               `json:"duration_ms"`
	StoredBytes int64               `json:"stored_bytes"`
	Host        string              `json:"host"`
	Time        holdfast.Time       `json:"time"` // when this was sent first
	ToolVersion string              `json:"tool_version"`
}

func beforeEvent(op string) string {
	if op == opBackup {
		return "before_backup"
	}
	return "before_restore"
}

func afterEvent(op string, outcome result) string {
	switch {
	case outcome == resultFailed:
		return "failure"
	case op == opBackup:
		return "after_backup"
	}
	return "after_restore"
}

// sends gives what is to be sent to each URL; nothing if none asked for the
// event. All URLs, and all attempts, carry the same delivery and signature.
func (w *webhooks) sends(event string, m message) []func(context.Context) *holdfast.Problem {
	if !slices.Contains(w.On, event) {
		return nil
	}
	m.Event = event
	body, err := json.Marshal(m)
	if err != nil {
		return []func(context.Context) *holdfast.Problem{func(context.Context) *holdfast.Problem {
			return &holdfast.Problem{Object: "webhooks", Severity: holdfast.Warning, Message: fmt.Sprintf("cannot write the message: %v", err)}
		}}
	}
	header := http.Header{headerEvent: {event}, headerDelivery: {rand.Text()}}
	if w.Secret != "" {
		header.Set(headerSignature, "sha256="+sign(w.Secret, body))
	}
	sends := make([]func(context.Context) *holdfast.Problem, 0, len(w.URLs))
	for i, url := range w.URLs {
		sends = append(sends, func(ctx context.Context) *holdfast.Problem {
			err := w.poster.send(ctx, parcel{url: url, kind: "application/json", header: header, body: body, timeout: w.Timeout})
			if err == nil {
				return nil
			}
			return &holdfast.Problem{
				Object: fmt.Sprintf("webhooks.urls[%d]", i), Severity: holdfast.Warning,
				Message: fmt.Sprintf("%s could not be told (%s): %v", redact.Endpoint(url), event, err),
				Hint:    "see whether the address still answers",
			}
		})
	}
	return sends
}

// sign gives the HMAC-SHA256 of what is sent, in hexadecimal.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
