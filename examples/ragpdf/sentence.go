package main

import "fmt"

// A sentence is an error that a reader can do something about, in any language of
// words.
type sentence struct {
	id    string
	args  []any
	cause error // for the log, if there is one
}

// say gives a sentence of words.
func say(id string, args ...any) error { return &sentence{id: id, args: args} }

// because is say for what another error has caused.
func because(cause error, id string, args ...any) error {
	return &sentence{id: id, args: args, cause: cause}
}

// Error is the sentence in English, for the log.
func (s *sentence) Error() string {
	text := english.say(s.id, s.args...)
	if s.cause != nil {
		return fmt.Sprintf("%s (%v)", text, s.cause)
	}
	return text
}

func (s *sentence) Unwrap() error { return s.cause }
