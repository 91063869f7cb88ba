package config

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// DefaultTelegramAPI is the server of the Bot API that Telegram runs.
const DefaultTelegramAPI = "https://api.telegram.org"

// Ways in which the updates of the bot come.
const (
	UpdatesPoll = "poll" // they are fetched
	UpdatesAPI  = "api"  // somebody else fetches them, and passes them on by the HTTP API
)

// telegramScheme begins the URL of a replica in a chat.
const telegramScheme = "telegram"

// Telegram configures the bot whose chat has the admin panel, and in whose chats replicas
// can lie.
type Telegram struct {
	Token string
	// FormerToken opens what was written before the token was replaced by a new one.
	FormerToken string
	Admins      []int64 // the users who may use the panel
	API         string  // base URL
	Proxy       string  // empty: that of the environment
	Language    string  // of who has not chosen one; empty: his own
	Panel       bool
	Updates     string // UpdatesPoll, UpdatesAPI
}

// HasPanel tells whether there is to be an admin panel.
func (t Telegram) HasPanel() bool { return t.Panel && t.Token != "" && len(t.Admins) > 0 }

// telegramKeys are the settings of the bot.
func telegramKeys() []Key {
	field := func(get func(*Telegram) *string) func(*Config) *string {
		return func(c *Config) *string { return get(&c.Telegram) }
	}
	return []Key{
		{
			Name: "telegram.token", EnvOnly: true, secret: true,
			Doc:    "Token of the Telegram bot whose chat has the admin panel, as BotFather gave it.",
			assign: botToken(field(func(t *Telegram) *string { return &t.Token })),
		},
		{
			Name: "telegram.former_token", EnvOnly: true, secret: true,
			Doc:    "Token that the bot had before, to read what was encrypted with it.",
			assign: botToken(field(func(t *Telegram) *string { return &t.FormerToken })),
		},
		{
			Name: "telegram.admins", list: true,
			Doc:    "Ids of the users who may use the panel: numbers, as @userinfobot tells them.",
			assign: userIDs,
		},
		{
			Name: "telegram.panel", Default: "true",
			Doc:    "Whether the bot has the panel, where a token and admins are set.",
			assign: boolean(func(c *Config) *bool { return &c.Telegram.Panel }),
		},
		{
			Name: "telegram.updates", Default: UpdatesPoll,
			Doc:    "How what people write and press comes to the panel: poll (it is fetched), api (another program fetches it, and passes it on to POST /api/v1/telegram/updates).",
			assign: oneOf(field(func(t *Telegram) *string { return &t.Updates }), UpdatesPoll, UpdatesAPI),
		},
		{
			Name:   "telegram.language",
			Doc:    "Language of the panel for who has not chosen one: en, th, fa; by default that of each admin's Telegram.",
			assign: oneOf(field(func(t *Telegram) *string { return &t.Language }), "en", "th", "fa"),
		},
		{
			Name: "telegram.api", Default: DefaultTelegramAPI,
			Doc:    "Base URL of the Bot API, for a server of one's own.",
			assign: openURL(field(func(t *Telegram) *string { return &t.API }), "http", "https"),
		},
		{
			Name: "telegram.proxy", secret: true,
			Doc:    "Proxy on the way to it: http://…, https://… or socks5://…; by default that of HTTPS_PROXY.",
			assign: webURL(field(func(t *Telegram) *string { return &t.Proxy }), "http", "https", "socks5", "socks5h"),
		},
	}
}

var botTokenForm = regexp.MustCompile(`^[0-9]+:[A-Za-z0-9_-]{10,}$`)

// botToken takes a token. What is none is not quoted, since it may nearly be one.
func botToken(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		raw = strings.TrimSpace(raw)
		if !botTokenForm.MatchString(raw) {
			return errors.New("it is no token of a bot, which looks like 123456:ABC-DEF…")
		}
		*field(c) = raw
		return nil
	}
}

// userIDs takes a list of numbers.
func userIDs(c *Config, raw string) error {
	var ids []int64
	for _, word := range strings.FieldsFunc(raw, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' }) {
		id, err := strconv.ParseInt(word, 10, 64)
		if err != nil || id <= 0 {
			return fmt.Errorf("%q is no id of a user: a number above zero, not a name", word)
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	c.Telegram.Admins = ids
	return nil
}

// webURL takes a URL with one of these schemes and a host. It is not quoted: it may hold a
// password.
func webURL(field func(*Config) *string, schemes ...string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		u, err := url.Parse(raw)
		if err != nil || !slices.Contains(schemes, u.Scheme) || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("it is no URL that begins with %s://", strings.Join(schemes, ":// or "))
		}
		*field(c) = strings.TrimSuffix(raw, "/")
		return nil
	}
}

// openURL is webURL for one that is shown, and so holds no password.
func openURL(field func(*Config) *string, schemes ...string) func(*Config, string) error {
	take := webURL(field, schemes...)
	return func(c *Config, raw string) error {
		if u, err := url.Parse(raw); err == nil && u.User != nil {
			return errors.New("the URL holds a name or a password, which would be shown in messages")
		}
		return take(c, raw)
	}
}

// chatForm is a chat in the URL of a replica.
var chatForm = regexp.MustCompile(`^(-?[0-9]+|@[A-Za-z][A-Za-z0-9_]*)/?(\?.*)?$`)

// IsTelegram tells whether a place is a chat.
func IsTelegram(place string) bool { return strings.HasPrefix(place, telegramScheme+"://") }

// checkTelegram judges what depends on more than one setting.
func (c *Config) checkTelegram(faults *layer) {
	if IsTelegram(c.Repository) {
		faults.fault("repository", "name a directory or s3://bucket/prefix here, and the chat among the replicas", "a chat can hold copies (replicas), but cannot be the repository")
	}
	for _, r := range c.Replicas {
		chat, ok := strings.CutPrefix(r.URL, telegramScheme+"://")
		switch {
		case !ok:
		case !chatForm.MatchString(chat): // not quoted: it may be a token
			faults.fault(r.Origin.String(), "write telegram://CHAT, a number or @channel; the token belongs into HOLDFAST_TELEGRAM_TOKEN", "the replica %s names no chat", r.Name)
		case c.Telegram.Token == "":
			faults.fault(r.Origin.String(), "set HOLDFAST_TELEGRAM_TOKEN", "the replica %s needs the token of a bot", r.URL)
		}
	}
	if c.Telegram.Token != "" && c.Telegram.Panel && len(c.Telegram.Admins) == 0 && !slices.ContainsFunc(c.Replicas, func(r Replica) bool { return IsTelegram(r.URL) }) {
		c.Warnings = append(c.Warnings, holdfast.Problem{
			Severity: holdfast.Warning, Object: "telegram.admins", Message: "there is a token, but no admin: the bot has no panel",
			Hint: "list the ids of the users who may use it (HOLDFAST_TELEGRAM_ADMINS)",
		})
	}
}
