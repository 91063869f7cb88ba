package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestURL(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"http://127.0.0.1:8000/api/v2/heartbeat", "http://127.0.0.1:8000/api/v2/heartbeat"},
		{"https://host.example/a?limit=3&after=x", "https://host.example/a?limit=3&after=x"},
		{"https://user:pa%20ss@host.example/a", "https://user:[hidden]@host.example/a"},
		{"https://host.example/api/v1/backups/enhanced_backup_20241030_143000", "https://host.example/api/v1/backups/enhanced_backup_20241030_143000"},
		{"https://hc-ping.com/0b1f6f6e-5c1b-4d39-9f57-1f2a3b4c5d6e/start", "https://hc-ping.com/[hidden]/start"},
		{"https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXX1x", "https://hooks.slack.com/services/T00000000/B00000000/[hidden]"},
		{"https://h/x?token=abc&page=2", "https://h/x?token=[hidden]&page=2"},
		{"https://h/x?X-Amz-Signature=abc&X-Amz-Date=20240101", "https://h/x?X-Amz-Signature=[hidden]&X-Amz-Date=[hidden]"},
		{"https://h/x?api_key=abc&sig=d&Password=e&key=f", "https://h/x?api_key=[hidden]&sig=[hidden]&Password=[hidden]&key=[hidden]"},
		{"s3://bucket/prefix?endpoint=https://minio.example:9000&region=eu", "s3://bucket/prefix?endpoint=https://minio.example:9000&region=eu"},
		{"s3://bucket/p?endpoint=https%3A%2F%2Fme%3Apw12%40minio.example", "s3://bucket/p?endpoint=https://me:[hidden]@minio.example"},
		{"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@me", "telegram://telegram/…"},
		{"discord://token@webhookid", "discord://…"},
		{"slack://hook:T-B-X@webhook", "slack://…"},
		{"ntfy://user:pw@ntfy.sh/topic", "ntfy://ntfy.sh/…"},
		{"smtp://user:pw@mail.example:587/?from=a@b.c&to=d@e.f", "smtp://mail.example:587/…"},
		{"generic+https://host.example/path/x", "generic+https://host.example/…"},
		{"pushbullet://o.tokentokentoken", "pushbullet://…"},
		{"unheardof://secret/secret", "unheardof://…"},
		{"https://ho st/%zz", "https://…"},
		{"mailto:someone@example.org", "mailto:…"},
		{"no url at all", "…"},
		{"", "…"},
	} {
		if got := URL(c.in); got != c.want {
			t.Errorf("URL(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestEndpoint_ShowsSchemeAndHost(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"https://u:p@hc-ping.com/short", "https://hc-ping.com/…"},
		{"http://127.0.0.1:9/", "http://127.0.0.1:9"},
		{"https://h?x=1", "https://h/…"},
		{"ntfy://ntfy.sh/topic", "ntfy://ntfy.sh/…"},
		{"nonsense", "…"},
	} {
		if got := Endpoint(c.in); got != c.want {
			t.Errorf("Endpoint(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

// canary is a secret that every encoding changes.
const canary = `ca na/ry"+&<ü%\tail`

func TestText_RemovesASecretInEveryForm(t *testing.T) {
	asJSON, err := json.Marshal(canary)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"dial " + canary + " failed",
		"got " + string(asJSON),
		"got " + fmt.Sprintf("%q", canary),
		"x=" + url.QueryEscape(canary),
		"/p/" + url.PathEscape(canary),
		"smtp " + url.UserPassword("me", canary).String(),
	} {
		got := Text(text, canary)
		if strings.Contains(got, "tail") || strings.Contains(got, "ca") && strings.Contains(got, "ry") {
			t.Errorf("Text(%q) = %q still tells the secret", text, got)
		}
		if !strings.Contains(got, Hidden) {
			t.Errorf("Text(%q) = %q does not show that something is hidden", text, got)
		}
	}
}

func TestText_RemovesWhatLooksLikeASecret(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"token hf_ab12_c2VjcmV0c2VjcmV0 was used", "token hf_[hidden] was used"},
		{"Authorization: Bearer abcdef123456", "Authorization: Bearer [hidden]"},
		{`Get "https://u:pw@h/x?token=abc": dial tcp: refused`, `Get "https://u:[hidden]@h/x?token=[hidden]": dial tcp: refused`},
		{"see https://h/a.", "see https://h/a."},
		{"(ntfy://ntfy.sh/topic)", "(ntfy://ntfy.sh/…)"},
		{"HOLDFAST_TELEGRAM_TOKEN=abc next", "HOLDFAST_TELEGRAM_TOKEN=[hidden] next"},
		{"key AGE-SECRET-KEY-1ABCDEF", "key AGE-SECRET-KEY-[hidden]"},
		{"backup enhanced_backup_20241030_143000: disk full", "backup enhanced_backup_20241030_143000: disk full"},
	} {
		if got := Text(c.in); got != c.want {
			t.Errorf("Text(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestText_AHiddenSecretLeavesTheRestOfAURL(t *testing.T) {
	if got, want := Text("at http://u:secret42@h/p/secret43?x=1 of h", "secret42", "secret43"), "at http://u:[hidden]@h/p/[hidden]?x=1 of h"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestText_LeavesWordsWhenASecretIsTooShort(t *testing.T) {
	if got := Text("a backup", "a", ""); got != "a backup" {
		t.Errorf("got %q", got)
	}
}

func TestText_SettlesAfterOnce(t *testing.T) {
	once := Text(`Post "https://a:b@h/0123456789abcdef0?token=x": Bearer 123456789 hf_a_b`, "h/01")
	if twice := Text(once, "h/01"); twice != once {
		t.Errorf("%q became %q", once, twice)
	}
}

func TestError_KeepsIsAndAs(t *testing.T) {
	cause := &fs.PathError{Op: "open", Path: "/x", Err: fs.ErrPermission}
	err := fmt.Errorf("reading with canary42: %w", cause)
	got := Error(err, "canary42")
	if strings.Contains(got.Error(), "canary42") {
		t.Errorf("the text tells the secret: %v", got)
	}
	if !errors.Is(got, fs.ErrPermission) {
		t.Error("errors.Is no longer finds the cause")
	}
	if found, ok := errors.AsType[*fs.PathError](got); !ok || found != cause {
		t.Error("errors.As no longer finds the cause")
	}
	if harmless := errors.New("harmless"); Error(harmless) != harmless {
		t.Error("an error without a secret was wrapped")
	}
	if Error(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestError_OfNetHTTP(t *testing.T) {
	_, err := http.Get("http://me:canary42@127.0.0.1:1/hook/canarycanary4242?token=canary43")
	if err == nil {
		t.Fatal("port 1 answered")
	}
	if got := Error(err).Error(); strings.Contains(got, "canary") {
		t.Errorf("the error tells a secret: %s", got)
	}
}

func TestSecrets_ArePartsOfTheURL(t *testing.T) {
	urls := []string{
		"telegram://110201543:canary-1@telegram?chats=@me",
		"discord://canary-2@canary-3",
		"ntfy://u:canary-4@ntfy.sh/canary-5",
		"generic+https://h/canary-6?@Authorization=canary-7&template=json",
		"pushbullet://canary-8",
		"smtp://user@example.org:canary%209@mail.example/?from=a@b.c",
	}
	text := "Post https://api.telegram.org/bot110201543:canary-1/x; canary-2 canary-3 canary-4 canary-5 canary-6 canary-7 canary-8 canary+9 canary%209 canary 9"
	if got := Text(text, Secrets(urls...)...); strings.Contains(got, "canary") {
		t.Errorf("left over: %s", got)
	}
	if got := Text("template json of ntfy.sh by user@example.org", Secrets(urls...)...); got != "template json of ntfy.sh by user@example.org" {
		t.Errorf("too much is hidden: %s", got)
	}
}

func FuzzText(f *testing.F) {
	f.Add("https://u:p@h/x?token=y", "secret")
	f.Add("%zz://[::1", "p@ss")
	f.Fuzz(func(t *testing.T, text, secret string) {
		got := Text(text+secret, secret)
		// What is written instead may hold the letters of a secret.
		if len(secret) >= leastSecret && !strings.Contains(Hidden, secret) && strings.Contains(strings.ReplaceAll(got, Hidden, ""), secret) && !strings.Contains(strings.ReplaceAll(text+secret, secret, ""), secret) {
			t.Errorf("Text(%q, %q) = %q", text+secret, secret, got)
		}
	})
}

// A path of one word that messages use, too, must not tear holes into them.
func TestSecrets_LeaveTheWordsOfMessages(t *testing.T) {
	urls := []string{"https://example.org/hook", "generic+https://example.org/alarm?template=json", "ntfy://user:canary-1@ntfy.example.org/backups"}
	const text = "webhooks.urls[1]: 2 backups failed in a row; the alarm is told again"
	if got := Text(text, Secrets(urls...)...); got != text {
		t.Errorf("got %q", got)
	}
}
