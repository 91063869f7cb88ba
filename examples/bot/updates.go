package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"
)

const (
	pollFor    = 50          // seconds that Telegram keeps a question for updates open
	mostAnswer = 8 << 20     // bytes of an answer
	atOnce     = 50          // updates
	firstPause = time.Second // between two tries while another instance reads updates, too
	mostPause  = 30 * time.Second
	tries      = 5 // of an update that the database does not take
)

// kinds are the updates that the bot wants.
var kinds = []string{"message", "callback_query"}

// poll fetches updates until ctx ends. An update is confirmed, by the next question,
// only when it has been dealt with: the loop of the library confirms what it has not
// handled yet, and a program that is ended then loses it.
func (b *bot) poll(ctx context.Context) error {
	if _, err := b.api.DeleteWebhook(ctx, &tg.DeleteWebhookParams{}); err != nil && ctx.Err() == nil {
		if errors.Is(err, tg.ErrorUnauthorized) || errors.Is(err, tg.ErrorNotFound) {
			return errToken
		}
		b.trouble(err)
	}
	slog.Info("reading updates", "by", "long polling")
	offset, pause := int64(0), firstPause
	for ctx.Err() == nil {
		updates, err := b.updates(ctx, offset, pollFor)
		switch {
		case err == nil:
			pause = firstPause
		case ctx.Err() != nil:
			continue
		case errors.Is(err, errToken):
			return err
		default:
			slog.Warn("no updates; asking again", "in", pause, "error", err)
			wait(ctx, pause)
			if pause = min(2*pause, mostPause); errors.Is(err, errConflict) {
				pause = firstPause
			}
			continue
		}
		b.dealWith(context.WithoutCancel(ctx), updates)
		for _, u := range updates {
			offset = max(offset, u.ID+1)
		}
	}
	// What was dealt with is not to come again. Whatever this brings comes to the next.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if _, err := b.updates(ctx, offset, 0); err != nil && !errors.Is(err, errConflict) {
		slog.Debug("the last updates may come twice", "error", err)
	}
	return nil
}

// dealWith handles updates: those of one chat in their order, chats side by side.
func (b *bot) dealWith(ctx context.Context, updates []models.Update) {
	chats := map[int64][]*models.Update{}
	for i := range updates {
		chat := chatOf(&updates[i])
		chats[chat] = append(chats[chat], &updates[i])
	}
	var group sync.WaitGroup
	for _, of := range chats {
		group.Go(func() {
			for _, u := range of {
				b.insist(ctx, u)
			}
		})
	}
	group.Wait()
}

// insist handles an update, more than once if the database does not take it.
func (b *bot) insist(ctx context.Context, u *models.Update) {
	for i := range tries {
		err := b.handle(ctx, u)
		if err == nil {
			return
		}
		slog.Error("an update was not dealt with", "update", u.ID, "try", i+1, "of", tries, "error", err)
		wait(ctx, firstPause)
	}
}

// chatOf is where an update comes from; 0 for none.
func chatOf(u *models.Update) int64 {
	switch {
	case u.Message != nil:
		return u.Message.Chat.ID
	case u.CallbackQuery != nil:
		return u.CallbackQuery.From.ID
	}
	return 0
}

// errConflict tells that another instance reads the updates, as happens for a moment
// when a platform puts a new one in place of an old one.
var (
	errConflict = errors.New("another instance reads the updates of this bot")
	errToken    = errors.New("the token is not accepted by Telegram: set TELEGRAM_TOKEN to the one that @BotFather gave for the bot")
)

// updates asks once for updates.
func (b *bot) updates(ctx context.Context, offset int64, seconds int) ([]models.Update, error) {
	question, err := json.Marshal(map[string]any{"offset": offset, "limit": atOnce, "timeout": seconds, "allowed_updates": kinds})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, b.server+"/bot"+b.token+"/getUpdates", bytes.NewReader(question))
	if err != nil {
		return nil, errors.New("HOLDFAST_TELEGRAM_API is no address") // err would show the token
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := b.web.Do(req)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return nil, failed.Err // without the address, which holds the token
	}
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var answer struct {
		OK          bool
		Result      []models.Update
		Description string
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, mostAnswer)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("the answer to getUpdates cannot be read (%s): %w", resp.Status, err)
	}
	switch {
	case answer.OK:
		return answer.Result, nil
	case resp.StatusCode == http.StatusConflict:
		return nil, errConflict
	case resp.StatusCode == http.StatusUnauthorized, resp.StatusCode == http.StatusNotFound:
		return nil, errToken
	}
	return nil, errors.New(strings.TrimSpace(resp.Status + " " + answer.Description))
}

// wait waits for a while, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}
