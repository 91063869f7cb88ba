package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The bounds of a password. There is no rule about what it is made of.
const (
	LeastPassword = 10   // characters
	MostPassword  = 1024 // bytes
)

// CheckPassword judges a password that somebody wants to have. What it says does not
// repeat it.
func CheckPassword(password string) error {
	switch {
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return errors.New("the password holds a character that nobody can type")
	case utf8.RuneCountInString(password) < LeastPassword:
		return fmt.Errorf("the password has fewer than %d characters", LeastPassword)
	case len(password) > MostPassword:
		return fmt.Errorf("the password has more than %d bytes", MostPassword)
	}
	return nil
}

func password(field func(*Config) *string) func(*Config, string) error {
	return func(c *Config, raw string) error {
		if err := CheckPassword(raw); err != nil {
			return err
		}
		*field(c) = raw
		return nil
	}
}
