package telegram

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/nearest"
)

// Scheme is how the URL of a chat begins.
const Scheme = "telegram"

const howToWrite = "write telegram://CHAT, where CHAT is the number of a chat (that of a group begins with -) or @name of a channel"

// names are those that Telegram gives to channels and groups.
var names = regexp.MustCompile(`^@[A-Za-z][A-Za-z0-9_]{3,31}$`)

// Parse reads "telegram://CHAT?index=MESSAGE". The token has no place in it.
func Parse(raw string) (Options, error) {
	rest, ok := strings.CutPrefix(raw, Scheme+"://")
	if !ok {
		return Options{}, refuse("telegram URL", "it does not begin with telegram://", howToWrite)
	}
	chat, query, _ := strings.Cut(rest, "?")
	chat = strings.TrimSuffix(chat, "/")
	if strings.Contains(chat, ":") || strings.Count(chat, "@") > 1 || strings.Index(chat, "@") > 0 {
		// Perhaps a token: it is not quoted.
		return Options{}, refuse("telegram URL", "it names no chat, or more than one", howToWrite+"; the token comes from telegram.token")
	}
	if _, err := chatID(chat); err != nil {
		return Options{}, err
	}
	o := Options{Chat: chat}
	values, err := url.ParseQuery(query)
	if err != nil {
		return Options{}, refuse(o.String(), "its parameters cannot be read", "the only one is index=MESSAGE")
	}
	for name, v := range values {
		if name != "index" {
			hint := "the only one is index=MESSAGE, the number of the message that is the index"
			if nearest.To(name, []string{"index"}) != "" {
				hint = "did you mean index?"
			}
			return Options{}, refuse(o.String(), "a parameter is not known", hint)
		}
		if o.Index, err = strconv.Atoi(v[0]); err != nil || o.Index <= 0 || len(v) > 1 {
			return Options{}, refuse(o.String(), "index is not the number of a message", "status tells it: telegram://CHAT?index=123")
		}
	}
	return o, nil
}

// String gives the URL.
func (o Options) String() string {
	s := Scheme + "://" + o.Chat
	if o.Index != 0 {
		s += "?index=" + strconv.Itoa(o.Index)
	}
	return s
}

// chatID gives a chat as the Bot API wants it.
func chatID(chat string) (any, error) {
	if names.MatchString(chat) {
		return chat, nil
	}
	if id, err := strconv.ParseInt(chat, 10, 64); err == nil && id != 0 && strconv.FormatInt(id, 10) == chat {
		return id, nil
	}
	return nil, refuse("telegram URL", "it names no chat", howToWrite)
}

func refuse(object, what, hint string) error {
	return &holdfast.Error{Op: "replica", Object: object, Err: holdfast.Kindf(holdfast.ErrUsage, "%s", what), Hint: hint}
}
