package daemon

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
)

func TestLog_TellsTheOperationAndNoSecret(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(&out, "json", nil)
	const secret, password = "correct-horse-battery", "pa55w0rd-of-mail"
	l.Follow(&config.Config{
		Log: config.Log{Format: "text", Level: "info"}, Webhooks: config.Webhooks{Secret: secret},
		Notify: config.Notify{URLs: []string{"smtp://me:" + password + "@mail.example/?from=a@b.example"}},
	})
	log := l.Logger().With("of", "with "+secret).WithGroup("group")
	ctx := holdfast.WithOperation(t.Context(), "op-7")
	log.InfoContext(ctx, "told "+secret, keyError, errors.New("dial smtp://me:"+password+"@mail.example: refused"), "plain", 42)
	line := out.String()
	if strings.Contains(line, secret) || strings.Contains(line, password) {
		t.Errorf("a secret is in %s", line)
	}
	var got struct {
		Group struct {
			Op    string `json:"op_id"`
			Plain int    `json:"plain"`
		} `json:"group"`
	}
	if err := json.Unmarshal([]byte(line), &got); err != nil || got.Group.Op != "op-7" || got.Group.Plain != 42 {
		t.Errorf("%s: %v", line, err)
	}
	out.Reset()
	log.Debug("detail")
	if out.Len() > 0 {
		t.Errorf("the level lets %s through", out.String())
	}
	l.Follow(&config.Config{Log: config.Log{Format: "text", Level: "debug"}})
	log.Debug("detail")
	if !json.Valid(out.Bytes()) || out.Len() == 0 {
		t.Errorf("after another configuration: %q", out.String())
	}
}

// A number of nanoseconds tells nobody how long something took.
func TestLog_DurationsHaveAUnit(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		NewLog(&out, format, nil).Logger().Info("made", "took", 2*time.Second+13*time.Millisecond+7)
		if line := out.String(); !strings.Contains(strings.ReplaceAll(line, `"`, ""), "2.013s") {
			t.Errorf("%s: %s", format, line)
		}
	}
}
