package panel

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-telegram/bot"
	"github.com/go-telegram/bot/models"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/job"
	"github.com/holdfast-backup/holdfast/internal/operation"
)

// chat is a Telegram that takes everything and remembers when.
type chat struct {
	API // nothing else is asked of it

	mu     sync.Mutex
	edits  []time.Time
	texts  []string
	broken time.Time // until then nothing arrives
}

var errAway = &holdfast.Error{Op: "telegram", Err: errors.New("502 Bad Gateway"), Cause: holdfast.CauseUnreachable}

func (c *chat) Send(_ context.Context, p *bot.SendMessageParams) (*models.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.texts = append(c.texts, p.Text)
	return &models.Message{ID: len(c.texts)}, nil
}

func (c *chat) Edit(_ context.Context, p *bot.EditMessageTextParams) (*models.Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.edits = append(c.edits, time.Now())
	if time.Now().Before(c.broken) {
		return nil, errAway
	}
	c.texts = append(c.texts, p.Text)
	return &models.Message{ID: p.MessageID}, nil
}

// so is when it was edited so far, and what arrived.
func (c *chat) so() ([]time.Time, []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.edits), slices.Clone(c.texts)
}

// However much is heard of work, its message is edited at most every three seconds; its
// last word comes at once, or, if nothing arrives for minutes, as soon as something does.
func TestFollowing_EditsNoFasterThanAllowed(t *testing.T) {
	for name, away := range map[string]time.Duration{"at once": 0, "after minutes": 10 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				jobs, err := job.Open(job.Options{Dir: filepath.Join(dir, "jobs")})
				if err != nil {
					t.Fatal(err)
				}
				c := &chat{}
				p, err := New(Options{Core: func() Core { return Core{Config: &config.Config{}, Jobs: jobs} }, API: c, Admins: []int64{1}})
				if err != nil {
					t.Fatal(err)
				}
				j, _, err := jobs.Start(operation.KindVerify, "ann", "", struct{}{}, func(ctx context.Context, _ *job.Handle) (any, error) {
					for i := range int64(300) {
						holdfast.ObserverOf(ctx).Send(holdfast.Event{Op: operation.KindVerify, Step: holdfast.StepVerify, State: holdfast.Progress, Done: i + 1, Total: 300})
						time.Sleep(100 * time.Millisecond)
					}
					c.mu.Lock()
					defer c.mu.Unlock()
					c.broken = time.Now().Add(away)
					return nil, nil
				})
				if err != nil {
					t.Fatal(err)
				}
				v := p.visit(models.User{ID: 1})
				v.chat = 1
				v.work(t.Context(), j.ID)
				if _, err := jobs.Wait(t.Context(), j.ID); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				edits, _ := c.so()
				if n := len(edits); away == 0 && (n < 9 || n > 11) { // with the last word
					t.Errorf("it was edited %d times in 30 seconds", n)
				}
				for i, at := range edits[:len(edits)-1] {
					if i > 0 && at.Sub(edits[i-1]) < defaultEvery {
						t.Errorf("edits %d and %d are %s apart", i, i+1, at.Sub(edits[i-1]))
					}
				}
				time.Sleep(away + mostAgain*defaultEvery + time.Second)
				synctest.Wait()
				_, texts := c.so()
				last := texts[len(texts)-1]
				if len(texts) > 14 || last[:len("✅")] != "✅" {
					t.Errorf("after %d texts the last is %q", len(texts), last)
				}
				if err := p.Close(t.Context()); err != nil {
					t.Error(err)
				}
				jobs.Close(t.Context())
			})
		})
	}
}
