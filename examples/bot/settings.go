package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Settings are what the environment says. Everything about backups (HOLDFAST_REPOSITORY
// …) is read by package boot.
type settings struct {
	token         string
	server, proxy string // of the Bot API, and the way there
	admins        []int64
	replica       string // the chat that holds a copy of the backups; empty: none
	database      string
	webhook       string // the public address of this program; empty: long polling
	port          string // of the health endpoint and the webhook; empty: none

	unblockEvery, cleanupEvery time.Duration
}

func fromEnvironment() (settings, error) {
	s := settings{
		token:    cmp.Or(os.Getenv("TELEGRAM_TOKEN"), os.Getenv("HOLDFAST_TELEGRAM_TOKEN")),
		server:   strings.TrimRight(cmp.Or(os.Getenv("HOLDFAST_TELEGRAM_API"), "https://api.telegram.org"), "/"),
		proxy:    os.Getenv("HOLDFAST_TELEGRAM_PROXY"),
		database: cmp.Or(os.Getenv("DATABASE_PATH"), "/tmp/bot_database.db"),
		webhook:  strings.TrimRight(os.Getenv("WEBHOOK_URL"), "/"),
		port:     os.Getenv("PORT"),
	}
	if s.token == "" {
		return s, errors.New("there is no token: set TELEGRAM_TOKEN to the one that @BotFather gave for the bot")
	}
	for id := range strings.FieldsFuncSeq(cmp.Or(os.Getenv("BOT_ADMINS"), os.Getenv("HOLDFAST_TELEGRAM_ADMINS")), func(r rune) bool { return r == ',' || r == ' ' }) {
		n, err := strconv.ParseInt(id, 10, 64)
		if err != nil || n <= 0 {
			return s, fmt.Errorf("BOT_ADMINS: %q is no id: write the numbers that the bot answers to /id, as 4711,4712", id)
		}
		s.admins = append(s.admins, n)
	}
	// Who has configured no replica keeps one in the chat with the first admin: a new
	// machine that has the token alone finds it there.
	if _, configured := os.LookupEnv("HOLDFAST_REPLICAS"); !configured && len(s.admins) > 0 {
		s.replica = strconv.FormatInt(s.admins[0], 10)
	}
	var err error
	if s.unblockEvery, err = period("AUTO_UNBLOCK_EVERY", time.Minute); err != nil {
		return s, err
	}
	s.cleanupEvery, err = period("CLEANUP_TRACKING_EVERY", time.Hour)
	return s, err
}

// period reads a duration above zero.
func period(name string, otherwise time.Duration) (time.Duration, error) {
	text := os.Getenv(name)
	if text == "" {
		return otherwise, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("%s: %q is no period: write 30s, 1m or 1h", name, text)
	}
	return d, nil
}
