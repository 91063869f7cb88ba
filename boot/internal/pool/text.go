package pool

import "strings"

// anything stands for SQL that is not known.
const anything = "BEGIN"

// turning are the words of statements that begin or end a transaction.
var turning = map[string]bool{
	"BEGIN": true, "COMMIT": true, "END": true,
	"ROLLBACK": true, "SAVEPOINT": true, "RELEASE": true,
}

// turns tells whether SQL may begin or end a transaction. SQLite itself is asked
// whether it did; END is also the end of a CASE.
func turns(text string) bool {
	found := false
	scan(text, func(token string) bool {
		found = turning[strings.ToUpper(token)]
		return !found
	})
	return found
}

// single tells whether SQL is surely one statement. Of several, some may have
// been committed when one fails.
func single(text string) bool {
	ended, more := false, false
	scan(text, func(token string) bool {
		if token == ";" {
			ended = true
		} else if ended {
			more = true
		}
		return !more
	})
	return !more
}

// scan gives the words of SQL and its semicolons, and every other character that
// is no space and in no comment, until f says that it is enough. What is quoted
// comes as one quote.
func scan(text string, f func(token string) bool) {
	for i := 0; i < len(text); {
		rest := text[i:]
		n, silent := 1, false
		switch ch := text[i]; {
		case ch <= ' ':
			silent = true
		case strings.HasPrefix(rest, "--"):
			n, silent = until(rest, "\n", 2), true
		case strings.HasPrefix(rest, "/*"):
			n, silent = until(rest, "*/", 2), true
		case ch == '\'', ch == '"', ch == '`':
			n = until(rest, string(ch), 1)
			rest = rest[:1]
		case ch == '[':
			n = until(rest, "]", 1)
			rest = rest[:1]
		case letter(ch):
			for n < len(rest) && letter(rest[n]) {
				n++
			}
		}
		i += n
		if !silent && !f(rest[:min(n, len(rest))]) {
			return
		}
	}
}

// until is the length of text through the next end after the first skip bytes.
func until(text, end string, skip int) int {
	if at := strings.Index(text[skip:], end); at >= 0 {
		return skip + at + len(end)
	}
	return len(text)
}

func letter(ch byte) bool {
	return ch == '_' || ch == '$' || ch >= 0x80 ||
		'0' <= ch && ch <= '9' || 'a' <= ch && ch <= 'z' || 'A' <= ch && ch <= 'Z'
}
