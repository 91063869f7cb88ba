package telegram

import (
	"errors"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

func TestParse(t *testing.T) {
	for raw, want := range map[string]Options{
		"telegram://123456":              {Chat: "123456"},
		"telegram://-1001234567890":      {Chat: "-1001234567890"},
		"telegram://@my_copies":          {Chat: "@my_copies"},
		"telegram://42/":                 {Chat: "42"},
		"telegram://-100123?index=77":    {Chat: "-100123", Index: 77},
		"telegram://@copies_2?index=123": {Chat: "@copies_2", Index: 123},
	} {
		got, err := Parse(raw)
		if err != nil || got.Chat != want.Chat || got.Index != want.Index {
			t.Errorf("%s: %+v (%v)", raw, got, err)
		}
		if err == nil && strings.TrimSuffix(raw, "/") != got.String() {
			t.Errorf("%s is written as %s", raw, got)
		}
	}
}

func TestParse_Refuses(t *testing.T) {
	const token = "123456:AAHsecretsecretsecret"
	for _, raw := range []string{
		"telegram://", "telegram://0", "telegram://name", "telegram://@x", "telegram://+42", "telegram://042", "telegram://42x",
		"telegram://" + token, "telegram://" + token + "@42", "telegram://42?token=" + token, "telegram://@a/b", "telegram://42?index=0",
		"telegram://42?index=x", "telegram://42?index=1&index=2", "telegram://42?indx=1", "telegram://42?%zz", "s3://42",
	} {
		_, err := Parse(raw)
		if !errors.Is(err, holdfast.ErrUsage) || holdfast.HintOf(err) == "" {
			t.Errorf("%s: %v, want a refusal with a hint", raw, err)
		}
		if err != nil && strings.Contains(err.Error()+holdfast.HintOf(err), "secret") {
			t.Errorf("the refusal tells a secret: %v", err)
		}
	}
}
