package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/repo/retention"
)

// Retention says which backups are kept. A backup stays as long as any of its
// rules keeps it.
type Retention struct {
	Days     int // 0: age is no reason to stay
	KeepLast int
	// The newest backup of each of the last so many periods.
	Hourly, Daily, Weekly, Monthly, Yearly int
	// AutoDays, ChangeDays and EmergencyDays take the place of Days for the backups of
	// these triggers, if they are set.
	AutoDays, ChangeDays, EmergencyDays *int
	// ShrinkHold is the percentage of the backup before below which a backup
	// puts pruning on hold; 0 never does.
	ShrinkHold int
}

// Policy gives the rules in the terms of package retention.
func (r Retention) Policy() retention.Policy {
	age := func(days int) time.Duration { return time.Duration(days) * 24 * time.Hour }
	p := retention.Policy{
		MaxAge: age(r.Days), KeepLast: r.KeepLast,
		Hourly: r.Hourly, Daily: r.Daily, Weekly: r.Weekly, Monthly: r.Monthly, Yearly: r.Yearly,
		TriggerAge: map[holdfast.Trigger]time.Duration{},
	}
	if r.AutoDays != nil {
		p.TriggerAge[holdfast.TriggerAuto] = age(*r.AutoDays)
	}
	switch {
	case r.ChangeDays != nil:
		p.TriggerAge[holdfast.TriggerChange] = age(*r.ChangeDays)
	case r.Days > usualChangeDays:
		p.TriggerAge[holdfast.TriggerChange] = age(usualChangeDays)
	}
	if r.EmergencyDays != nil {
		p.TriggerAge[holdfast.TriggerEmergency] = age(*r.EmergencyDays)
	}
	return p
}

// usualChangeDays is how long backups stay that were made soon after a change,
// unless somebody said otherwise: there can be one a minute.
const usualChangeDays = 1

// retentionKeys are the settings of Retention.
func retentionKeys() []Key {
	periods := func(name string, field func(*Retention) *int) Key {
		return Key{
			Name: "retention." + name, Default: "0",
			Doc:    "The newest backup of each of the last so many " + periodNouns[name] + " stays, too.",
			assign: several(func(c *Config) *int { return field(&c.Retention) }),
		}
	}
	return []Key{
		{
			Name: "retention.days", Manual: []string{"BACKUP_RETENTION_DAYS", "BACKUP_CLEANUP_AGE_DAYS"}, Default: "7",
			Doc:    "Backups older than this many days are removed after each backup, unless another rule keeps them; 0 is no such rule, and with no other rule keeps all.",
			assign: days(func(c *Config) *int { return &c.Retention.Days }),
		},
		{
			Name:   "retention.auto_days",
			Doc:    "The same for backups made with `--trigger auto`; unset, as for all.",
			assign: optional(days, func(c *Config) **int { return &c.Retention.AutoDays }),
		},
		{
			Name:   "retention.change_days",
			Doc:    "The same for backups made soon after a change, of which there can be one a minute; unset, 1, or as for all if days is 0.",
			assign: optional(days, func(c *Config) **int { return &c.Retention.ChangeDays }),
		},
		{
			Name:   "retention.emergency_days",
			Doc:    "The same for backups that a restore made of what it replaced; unset, as for all.",
			assign: optional(days, func(c *Config) **int { return &c.Retention.EmergencyDays }),
		},
		{
			Name: "retention.keep_last", Default: "0",
			Doc:    "So many of the newest backups stay, however old they are.",
			assign: several(func(c *Config) *int { return &c.Retention.KeepLast }),
		},
		periods("hourly", func(r *Retention) *int { return &r.Hourly }),
		periods("daily", func(r *Retention) *int { return &r.Daily }),
		periods("weekly", func(r *Retention) *int { return &r.Weekly }),
		periods("monthly", func(r *Retention) *int { return &r.Monthly }),
		periods("yearly", func(r *Retention) *int { return &r.Yearly }),
		{
			Name: "retention.shrink_hold", Default: "50%",
			Doc:    "A backup with less than this share of the records (files, bytes) of the one before puts pruning on hold, until `holdfast prune --confirm`; off never does.",
			assign: percentage(func(c *Config) *int { return &c.Retention.ShrinkHold }),
		},
	}
}

var periodNouns = map[string]string{
	"hourly": "hours", "daily": "days", "weekly": "weeks", "monthly": "months", "yearly": "years",
}

// several reads a number of backups or periods.
func several(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, raw string) error {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 0 || n > maxDays {
			return fmt.Errorf("%q is not a whole number from 0 (no such rule) to %d", raw, maxDays)
		}
		*field(c) = n
		return nil
	}
}

// optional reads a value that is nil unless it is set.
func optional(parse func(func(*Config) *int) func(*Config, string) error, field func(*Config) **int) func(*Config, string) error {
	return func(c *Config, raw string) error {
		n := new(int)
		if err := parse(func(*Config) *int { return n })(c, raw); err != nil {
			return err
		}
		*field(c) = n
		return nil
	}
}

// percentage reads a share from 0 to 100, with or without its sign, or "off".
func percentage(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if strings.EqualFold(raw, "off") {
			*field(c) = 0
			return nil
		}
		n, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(raw, "%")))
		if err != nil || n < 0 || n > 100 {
			return fmt.Errorf("%q is not a percentage from 0 to 100, nor off", raw)
		}
		*field(c) = n
		return nil
	}
}
