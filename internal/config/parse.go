package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The parsers turn the text of a value, from whatever layer, into a field.
// They say what would have been right; where it was wrong is added outside.

func text(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if strings.ContainsRune(raw, 0) {
			return errors.New("contains a zero byte")
		}
		*field(c) = raw
		return nil
	}
}

func boolean(field func(*Config) *bool) func(*Config, string) error {
	return func(c *Config, raw string) error {
		switch strings.ToLower(raw) {
		case "true", "yes", "on", "1":
			*field(c) = true
		case "false", "no", "off", "0":
			*field(c) = false
		default:
			return fmt.Errorf("%q is neither true nor false", raw)
		}
		return nil
	}
}

func count(field func(*Config) *int64, least int64) func(*Config, string) error {
	return func(c *Config, raw string) error {
		n, err := strconv.ParseInt(raw, 10, 64)
		if err != nil || n < least || n > math.MaxInt64>>20 {
			return fmt.Errorf("%q is not a whole number from %d up", raw, least)
		}
		*field(c) = n
		return nil
	}
}

// maxDays is a hundred years: more is a mistake, and would overflow a
// duration before long.
const maxDays = 36500

func days(field func(*Config) *int) func(*Config, string) error {
	return func(c *Config, raw string) error {
		n, err := strconv.Atoi(raw)
		if err != nil || n < 0 || n > maxDays {
			return fmt.Errorf("%q is not a number of days from 0 (keep all) to %d", raw, maxDays)
		}
		*field(c) = n
		return nil
	}
}

func duration(field func(*Config) *time.Duration) func(*Config, string) error {
	return func(c *Config, raw string) error {
		d, err := parseDuration(raw)
		if err != nil || d <= 0 {
			return fmt.Errorf("%q is not a duration such as 30s, 2m or 7d", raw)
		}
		*field(c) = d
		return nil
	}
}

// ParseDuration reads a duration as settings have them: 30s, 2m, 7d.
func ParseDuration(raw string) (time.Duration, error) { return parseDuration(raw) }

// parseDuration reads a duration of Go, or a whole number of days.
func parseDuration(raw string) (time.Duration, error) {
	number, isDays := strings.CutSuffix(raw, "d")
	if !isDays {
		return time.ParseDuration(raw)
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > maxDays {
		return 0, fmt.Errorf("%q is not a number of days", raw)
	}
	return time.Duration(n) * 24 * time.Hour, nil
}

func oneOf(field func(*Config) *string, known ...string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if !slices.Contains(known, raw) {
			return fmt.Errorf("%q is none of %s", raw, strings.Join(known, ", "))
		}
		*field(c) = raw
		return nil
	}
}

func backupName(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if _, err := holdfast.ParseBackupName(raw); err != nil {
			if e, ok := errors.AsType[*holdfast.Error](err); ok {
				err = e.Err
			}
			return fmt.Errorf("%q cannot begin a backup's name: %w", raw, err)
		}
		*field(c) = raw
		return nil
	}
}
