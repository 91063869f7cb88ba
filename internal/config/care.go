package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// A Schedule says when backups are made while a program runs in holdfast's care.
// Zero is never.
type Schedule struct {
	Every time.Duration
	// Cron are further moments, in UTC.
	Cron []string
	// OnChange is the longest that a change goes without a backup.
	OnChange time.Duration
	// ShutdownTimeout is how long the end of the program and the last backup may
	// take together.
	ShutdownTimeout time.Duration
}

// Run configures `holdfast run`.
type Run struct {
	Migrate      string // command that migrates the data, run by the shell
	Ready        string // URL that answers once the program serves, or empty
	ReadyTimeout time.Duration
	Restart      string // RestartNo …
	StopSignal   string // TERM …; empty: the one that was got, or TERM
}

// The values of Run.Restart.
const (
	RestartNo        = "no"
	RestartOnFailure = "on-failure"
	RestartAlways    = "always"
)

// careKeys are the settings of Schedule and Run.
func careKeys() []Key {
	return []Key{
		{
			Name: "schedule.every", Default: "6h",
			Doc:    "How often `holdfast serve`, `holdfast run` and a bot that starts with package boot make a backup; off never does.",
			assign: durationOrOff(func(c *Config) *time.Duration { return &c.Schedule.Every }),
		},
		{
			Name: "schedule.cron", list: true,
			Doc:    "Moments at which a backup is made, beside the interval (set that to off for these alone): expressions of cron, in UTC, such as 0 3 * * *.",
			assign: crons(func(c *Config) *[]string { return &c.Schedule.Cron }),
		},
		{
			Name: "schedule.on_change", Default: "1m",
			Doc:    "The longest that a change goes without a backup there; off leaves changes to the interval.",
			assign: durationOrOff(func(c *Config) *time.Duration { return &c.Schedule.OnChange }),
		},
		{
			Name: "shutdown_timeout", Default: "9s",
			Doc:    "How long the end of the program and the last backup may take together; platforms kill after 10 to 30 seconds.",
			assign: duration(func(c *Config) *time.Duration { return &c.Schedule.ShutdownTimeout }),
		},
		{
			Name:   "run.migrate",
			Doc:    "Command that `holdfast run` runs before the program, to migrate its data; a backup comes before it, and is restored if it fails.",
			assign: text(func(c *Config) *string { return &c.Run.Migrate }),
		},
		{
			Name:   "run.ready",
			Doc:    "URL that answers once the program of `holdfast run` serves; a restore waits for it.",
			assign: httpURL(func(c *Config) *string { return &c.Run.Ready }),
		},
		{
			Name: "run.ready_timeout", Default: "1m",
			Doc:    "How long that may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Run.ReadyTimeout }),
		},
		{
			Name: "run.restart", Default: RestartNo,
			Doc:    "When `holdfast run` starts the program again after it ended: no, on-failure, always.",
			assign: oneOf(func(c *Config) *string { return &c.Run.Restart }, RestartNo, RestartOnFailure, RestartAlways),
		},
		{
			Name:   "run.stop_signal",
			Doc:    "Signal that asks the program of `holdfast run` to end: TERM, INT, QUIT or HUP; unset, the one that holdfast got, and TERM for a restore. Chroma's newest server needs INT.",
			assign: oneOf(func(c *Config) *string { return &c.Run.StopSignal }, "TERM", "INT", "QUIT", "HUP"),
		},
	}
}

// leastInterval keeps a mistyped schedule from doing nothing else.
const leastInterval = time.Second

// durationOrOff reads a duration, or "off" as zero.
func durationOrOff(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if strings.EqualFold(raw, off) {
			*field(c) = 0
			return nil
		}
		d, err := parseDuration(raw)
		if err != nil || d < leastInterval {
			return fmt.Errorf("%q is not a duration such as 30s, 2m or 7d, nor off", raw)
		}
		*field(c) = d
		return nil
	}
}

func httpURL(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		u, err := url.Parse(raw)
		if err == nil && u.User != nil {
			return errors.New("the URL holds a name or a password, which would be shown in messages: let the program answer without")
		}
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%q is not a URL such as http://127.0.0.1:8000/healthz", raw)
		}
		*field(c) = raw
		return nil
	}
}
