package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	tg "github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast/boot"
)

// longest is the most that an update may hold.
const longest = 1 << 20

// hook is the path to which Telegram sends updates, health the one that platforms ask.
const (
	hook   = "/telegram"
	health = "/healthz"
)

// serve brings updates to the bot until ctx ends: by a webhook if WEBHOOK_URL is set,
// else by long polling. If PORT is set it answers the platform's health checks, too.
func (b *bot) serve(ctx context.Context) error {
	if me, err := b.api.GetMe(ctx); err == nil {
		b.name = strings.ToLower(me.Username)
	} else if errors.Is(err, tg.ErrorUnauthorized) || errors.Is(err, tg.ErrorNotFound) {
		return errToken
	} else if ctx.Err() == nil {
		b.trouble(err)
	}
	ctx, end := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer end()
	webFailed := make(chan error, 1)
	if b.port != "" || b.webhook != "" {
		listener, err := net.Listen("tcp", ":"+cmp.Or(b.port, "8080"))
		if err != nil {
			return err
		}
		group.Go(func() {
			webFailed <- b.answerWeb(ctx, listener)
			end()
		})
	}
	var err error
	if b.webhook == "" {
		err = b.poll(ctx)
	} else {
		err = b.await(ctx)
	}
	end()
	group.Wait()
	select {
	case failed := <-webFailed:
		return errors.Join(err, failed)
	default:
		return err
	}
}

// await tells Telegram where to send updates, and waits for the end. The webhook stays
// when the program ends: it wakes one that a platform has put to sleep.
func (b *bot) await(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, mostPause) {
		_, err := b.api.SetWebhook(ctx, &tg.SetWebhookParams{URL: b.webhook + hook, SecretToken: b.secret(), AllowedUpdates: kinds})
		if err == nil {
			slog.Info("reading updates", "by", "webhook", "url", b.webhook+hook)
			<-ctx.Done()
			return nil
		}
		if ctx.Err() != nil {
			return nil
		}
		slog.Warn("Telegram was not told where to send updates; trying again", "in", pause, "error", err)
		wait(ctx, pause)
	}
}

// secret is what Telegram sends with each update of the webhook: made from the token, so
// that there is nothing more to configure.
func (b *bot) secret() string {
	mac := hmac.New(sha256.New, []byte(b.token))
	mac.Write([]byte("webhook of examples/bot"))
	return hex.EncodeToString(mac.Sum(nil))
}

// answerWeb serves until ctx ends.
func (b *bot) answerWeb(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: b.paths(), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan struct{})
	context.AfterFunc(ctx, func() {
		defer close(stopped)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			slog.Debug("a request was cut at the end", "error", err)
		}
	})
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	<-stopped // requests in hand use the database
	return nil
}

// paths are what the program answers on PORT.
func (b *bot) paths() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+health, b.tellHealth)
	mux.HandleFunc("GET /{$}", b.tellHealth)
	if b.webhook != "" {
		mux.HandleFunc("POST "+hook, b.takeUpdate)
	}
	return mux
}

// tellHealth answers a health check. A database in memory is loud elsewhere: to restart
// the program would lose what is in it.
func (b *bot) tellHealth(w http.ResponseWriter, _ *http.Request) {
	switch state := b.store.Status().State; state {
	case boot.Ready, boot.Degraded, boot.Restoring:
		w.WriteHeader(http.StatusOK)
	default:
		http.Error(w, string(state), http.StatusServiceUnavailable)
	}
}

// takeUpdate takes one update.
func (b *bot) takeUpdate(w http.ResponseWriter, r *http.Request) {
	if subtle.ConstantTimeCompare([]byte(r.Header.Get("X-Telegram-Bot-Api-Secret-Token")), []byte(b.secret())) != 1 {
		http.Error(w, "who is asking?", http.StatusUnauthorized)
		return
	}
	var u models.Update
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, longest)).Decode(&u); err != nil {
		http.Error(w, "not an update", http.StatusBadRequest)
		return
	}
	if err := b.handle(context.WithoutCancel(r.Context()), &u); err != nil {
		slog.Error("an update was not dealt with", "update", u.ID, "error", err)
		http.Error(w, "later", http.StatusInternalServerError) // Telegram sends it again
	}
}
