package schema

import (
	"fmt"
	"strings"
)

// OneStatement refuses a definition with which more than itself would be run. SQLite takes
// the first statement of what a database keeps as a definition and never looks at the rest:
// it may be anything in a database that somebody made by hand.
func OneStatement(definition string) error {
	refuse := func(what string) error {
		return fmt.Errorf("the definition %.60q is not one statement: %s", definition, what)
	}
	text := strings.ToUpper(definition[:min(len(definition), len(createTrigger))])
	if !strings.HasPrefix(text, "CREATE ") {
		return refuse("it creates nothing")
	}
	trigger := text == createTrigger
	ended, semicolon := false, false
	for rest := definition; rest != ""; {
		token, n := cutToken(rest)
		rest = rest[n:]
		switch {
		case token == "\x00":
			return refuse("it has a zero byte")
		case token == ";":
			ended, semicolon = ended || !trigger, true
		case token == "":
		case ended:
			return refuse("something follows its end")
		default:
			// Nothing else of a trigger begins with this word.
			ended = trigger && semicolon && strings.EqualFold(token, "END")
			semicolon = false
		}
	}
	return nil
}

const createTrigger = "CREATE TRIGGER "

// cutToken gives the first token of SQL text, and how many bytes it takes: a word, a sign,
// something quoted. Of spaces and comments the token is empty.
func cutToken(text string) (token string, n int) {
	until := func(end string, from int) int {
		if i := strings.Index(text[from:], end); i >= 0 {
			return from + i + len(end)
		}
		return len(text)
	}
	switch c := text[0]; {
	case strings.IndexByte(" \t\n\v\f\r", c) >= 0:
		return "", 1
	case strings.HasPrefix(text, "\ufeff"):
		return "", len("\ufeff")
	case strings.HasPrefix(text, "--"):
		return "", until("\n", 2)
	case strings.HasPrefix(text, "/*") && len(text) > 2:
		return "", until("*/", 2)
	case c == '\'' || c == '"' || c == '`':
		n := until(text[:1], 1) // two of them are two tokens here, which is no matter
		return text[:n], n
	case c == '[':
		n := until("]", 1)
		return text[:n], n
	case isWord(c):
		for n = 1; n < len(text) && isWord(text[n]); n++ {
		}
		return text[:n], n
	}
	return text[:1], 1
}

func isWord(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
