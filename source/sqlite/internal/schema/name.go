package schema

import "strings"

// cutName reads the name at the start of SQL text, as SQLite keeps definitions: quoted
// in one of four ways, or bare.
func cutName(text string) (name, rest string, ok bool) {
	if text == "" {
		return "", "", false
	}
	closing := map[byte]byte{'"': '"', '\'': '\'', '`': '`', '[': ']'}[text[0]]
	if closing == 0 {
		end := strings.IndexFunc(text, func(r rune) bool {
			return r < 0x80 && r != '_' && r != '$' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
		if end < 0 {
			end = len(text)
		}
		return text[:end], text[end:], end > 0
	}
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		if text[i] != closing {
			b.WriteByte(text[i])
			continue
		}
		if closing != ']' && i+1 < len(text) && text[i+1] == closing {
			b.WriteByte(closing)
			i++
			continue
		}
		return b.String(), text[i+1:], true
	}
	return "", "", false
}
