package config

import (
	"fmt"
	"strings"
	"testing"
)

const botTokenOfTests = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw"

func TestTelegram(t *testing.T) {
	at(t, map[string]string{
		"token.txt":     botTokenOfTests + "\n",
		"holdfast.yaml": "telegram:\n  admins: [4711, 4712, 4711]\n  language: fa\n  api: http://127.0.0.1:8081/\nreplicas:\n  - telegram://-1001234567890?index=7\n  - {url: 'telegram://@copies', name: second}\n",
	})
	c, err := Load(Flags{}, []string{"HOLDFAST_TELEGRAM_TOKEN_FILE=token.txt", "HOLDFAST_TELEGRAM_PROXY=socks5://me:pass-word@127.0.0.1:1080"})
	if err != nil {
		t.Fatal(err)
	}
	got := c.Telegram
	if got.Token != botTokenOfTests || fmt.Sprint(got.Admins) != "[4711 4712]" || got.Language != "fa" || got.API != "http://127.0.0.1:8081" || got.Updates != UpdatesPoll || !got.HasPanel() {
		t.Errorf("telegram %+v", got)
	}
	if len(c.Replicas) != 2 || c.Replicas[0].Name != "telegram" || c.Replicas[1].Name != "second" {
		t.Errorf("replicas %+v", c.Replicas)
	}
	for _, v := range c.Values {
		if shown := v.Shown(); strings.Contains(shown, "AAHdq") || strings.Contains(shown, "pass-word") {
			t.Errorf("%s shows a secret: %s", v.Key, shown)
		}
	}
	// What init writes names every key but the secrets, which belong into the environment.
	text, err := Template(c, "holdfast.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"admins:", "panel: true", "updates: poll", "language:", "api: " + DefaultTelegramAPI} {
		if !strings.Contains(string(text), "#   "+key) {
			t.Errorf("the template lacks %q", key)
		}
	}
	if strings.Contains(string(text), "AAHdq") || strings.Contains(string(text), "pass-word") {
		t.Error("the template holds a secret")
	}
}

func TestTelegram_WhenThereIsAPanel(t *testing.T) {
	at(t, nil)
	for env, want := range map[string]struct{ panel, warned bool }{
		"":                           {},
		"HOLDFAST_TELEGRAM_ADMINS=1": {},
		"HOLDFAST_TELEGRAM_TOKEN=" + botTokenOfTests:                                                               {warned: true},
		"HOLDFAST_TELEGRAM_TOKEN=" + botTokenOfTests + " HOLDFAST_TELEGRAM_ADMINS=1":                               {panel: true},
		"HOLDFAST_TELEGRAM_TOKEN=" + botTokenOfTests + " HOLDFAST_TELEGRAM_ADMINS=1 HOLDFAST_TELEGRAM_PANEL=false": {},
		"HOLDFAST_TELEGRAM_TOKEN=" + botTokenOfTests + " HOLDFAST_REPLICAS=[telegram://1]":                         {},
	} {
		c, err := Load(Flags{}, strings.Fields(env))
		if err != nil {
			t.Fatal(err)
		}
		warned := false
		for _, w := range c.Warnings {
			warned = warned || w.Object == "telegram.admins"
		}
		if c.Telegram.HasPanel() != want.panel || warned != want.warned {
			t.Errorf("%s: panel %v, warned %v", env, c.Telegram.HasPanel(), warned)
		}
	}
}

func TestTelegram_TheTokenDoesNotBelongIntoTheFile(t *testing.T) {
	at(t, map[string]string{"holdfast.yaml": "telegram: {token: '" + botTokenOfTests + "'}\n"})
	_, err := Load(Flags{}, nil)
	if err == nil {
		t.Fatal("it is taken")
	}
	all := err.Error() + hints(err)
	if !strings.Contains(all, "HOLDFAST_TELEGRAM_TOKEN_FILE") || strings.Contains(all, "AAHdq") {
		t.Errorf("it says %s", all)
	}
}
