package locale

import (
	"strconv"
	"strings"
)

// Number writes a number with a mark after each three digits: 12,345 and ۱۲٬۳۴۵.
func (l *Locale) Number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	mark := ","
	if l.lang == Persian {
		mark = "٬"
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(mark)
		}
		b.WriteRune(d)
	}
	return l.digits(b.String())
}

// Decimal writes a number with so many digits after the point: 0.8 and ۰٫۸.
func (l *Locale) Decimal(x float64, places int) string {
	text := strconv.FormatFloat(x, 'f', places, 64)
	if l.lang == Persian {
		text = strings.Replace(text, ".", "٫", 1)
	}
	return l.digits(text)
}

// Percent writes a part of a whole: 42% and ۴۲٪. It is rounded down, so that only what
// is complete has 100; of nothing, all is done.
func (l *Locale) Percent(part, whole int64) string {
	percent := int64(100)
	if whole > 0 {
		percent = int64(float64(min(max(part, 0), whole)) / float64(whole) * 100)
	}
	if l.lang == Persian {
		return l.Number(percent) + "٪"
	}
	return l.Number(percent) + "%"
}

// digits writes the digits of a text in the reader's script.
func (l *Locale) digits(text string) string {
	if l.lang != Persian {
		return text
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return '۰' + r - '0'
		}
		return r
	}, text)
}
