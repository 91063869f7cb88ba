package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/engine"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/report"
	"github.com/holdfast-backup/holdfast/repo"
)

// Every backup is read within the time, whatever is made and removed meanwhile; after the
// daemon was off, as soon as the machine can.
func TestRotation_ReadsEverythingInTime(t *testing.T) {
	const within = 30 * 24 * time.Hour
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		var all []reading
		made := 0
		add := func() {
			made++
			all = append(all, reading{name: holdfast.BackupName(fmt.Sprint("b", made)), at: now, size: rng.Int64N(1 << 40)})
		}
		for range rng.IntN(400) { // made before the first day, at one moment
			add()
		}
		off := 0
		for hour := range 24 * 120 {
			now = now.Add(time.Hour)
			if rng.IntN(30) == 0 {
				add()
			}
			if len(all) > 1 && rng.IntN(100) == 0 {
				all = append(all[:1], all[2:]...)
			}
			if off > 0 {
				off--
				continue
			}
			if seed%2 == 1 && hour == 24*60 {
				off = 24 * 45 // the machine is off for longer than everything is good for
			}
			late := false
			for range 1000 {
				next, behind, due := nextReading(all, now, within)
				if !due {
					break
				}
				for i := range all {
					if all[i].name == next.name {
						all[i].at = now
					}
				}
				if late = behind; !behind {
					break
				}
			}
			if late {
				t.Fatalf("seed %d: something is still behind after a thousand turns", seed)
			}
			for _, r := range all {
				if age := now.Sub(r.at); age > within {
					t.Fatalf("seed %d, hour %d: %s was not read for %s", seed, hour, r.name, age)
				}
			}
		}
	}
}

// What was made at one moment is not read at one moment.
func TestRotation_SpreadsTheReading(t *testing.T) {
	const within, backups, most = 30 * 24 * time.Hour, 1000, 6 // 1000 in 180 hours
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	all := make([]reading, backups)
	for i := range all {
		all[i] = reading{name: holdfast.BackupName(fmt.Sprint("b", i)), at: start}
	}
	for now := start; now.Before(start.Add(within)); now = now.Add(time.Hour) {
		for read := 0; ; read++ {
			next, behind, due := nextReading(all, now, within)
			if behind || read > most {
				t.Fatalf("at %s: behind %v, %d read at one turn", now, behind, read)
			}
			if !due || read >= atOneTurn(backups, time.Hour, within) {
				break
			}
			for i := range all {
				if all[i].name == next.name {
					all[i].at = now
				}
			}
		}
	}
}

func TestRotation_LargestFirstWhenBehind(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	all := []reading{
		{"old", now.Add(-29 * 24 * time.Hour), 1}, {"large", now.Add(-25 * 24 * time.Hour), 100}, {"new", now, 1000},
	}
	next, behind, due := nextReading(all, now, 30*24*time.Hour)
	if next.name != "large" || !behind || !due {
		t.Errorf("%s, behind %v, due %v", next.name, behind, due)
	}
}

// A reader verifies backups, but for those that cannot be read.
type reader struct {
	unreadable, unrecorded holdfast.BackupName
	read                   []string
}

func (r *reader) Verify(_ context.Context, req engine.VerifyRequest) (*engine.VerifyResult, error) {
	r.read = append(r.read, req.Name)
	switch holdfast.BackupName(req.Name) {
	case r.unreadable:
		return nil, errors.New("the connection was cut")
	case r.unrecorded:
		return &engine.VerifyResult{}, &holdfast.LockedError{}
	}
	return &engine.VerifyResult{}, nil
}

// What could not be read counts as unread, is tried at the next turn, and keeps nothing
// else from being read; what was read counts, also if that could not be written down.
func TestRotation_WhatCannotBeReadIsTriedAgain(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var all []repo.Info
	for i, name := range []holdfast.BackupName{"cut", "locked", "good"} {
		all = append(all, repo.Info{Name: name, Metadata: &holdfast.Metadata{
			CreatedAt: holdfast.At(now.AddDate(0, 0, -29)), LogicalBytes: int64(10 - i),
		}})
	}
	list := func(context.Context) ([]repo.Info, error) { return all, nil }
	c := &core{
		d:      &daemon{o: Options{Now: func() time.Time { return now }}, log: slog.New(slog.DiscardHandler)},
		config: &config.Config{Verify: config.Verify{Every: 30 * 24 * time.Hour}},
		book:   report.NewBook(list, report.BookOptions{}),
		tried:  map[holdfast.BackupName]time.Time{},
	}
	r := &reader{unreadable: "cut", unrecorded: "locked"}
	if err := errors.Join(c.readSome(t.Context(), list, r)...); err == nil || !slices.Equal(r.read, []string{"cut", "locked", "good"}) {
		t.Errorf("read are %v, error %v", r.read, err)
	}
	now = now.Add(time.Hour)
	r.read, r.unreadable = nil, ""
	if err := errors.Join(c.readSome(t.Context(), list, r)...); err != nil || !slices.Equal(r.read, []string{"cut"}) {
		t.Errorf("at the next turn read are %v, error %v", r.read, err)
	}
}
