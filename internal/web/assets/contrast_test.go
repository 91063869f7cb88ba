package assets

import (
	"math"
	"regexp"
	"strconv"
	"testing"
)

// What WCAG AA asks for: text, and what is no text but must be seen.
const (
	ofText  = 4.5
	ofShape = 3.0
)

// pairs are the colours that meet: in front, behind, and how well they must differ.
var pairs = []struct {
	front string
	on    []string
	least float64
}{
	{"ink", []string{"ground", "surface", "raised", "sunken", "accent-soft", "calm-soft", "good-soft", "warn-soft", "bad-soft"}, ofText},
	{"ink-2", []string{"ground", "surface", "raised", "sunken", "calm-soft", "good-soft", "warn-soft", "bad-soft", "accent-soft"}, ofText},
	{"ink-3", []string{"ground", "surface", "raised", "sunken"}, ofText},
	{"accent", []string{"ground", "surface", "raised", "sunken", "accent-soft", "calm-soft", "good-soft", "warn-soft", "bad-soft"}, ofText},
	{"accent-hover", []string{"ground", "surface", "raised", "sunken"}, ofText},
	{"on-accent", []string{"accent", "accent-hover"}, ofText},
	{"on-danger", []string{"danger", "danger-hover"}, ofText},
	{"danger", []string{"ground", "surface"}, ofShape},
	{"calm", []string{"ground", "surface", "raised", "calm-soft"}, ofText},
	{"good", []string{"ground", "surface", "raised", "good-soft"}, ofText},
	{"warn", []string{"ground", "surface", "raised", "warn-soft"}, ofText},
	{"bad", []string{"ground", "surface", "raised", "bad-soft"}, ofText},
	{"line-strong", []string{"ground", "surface", "raised"}, ofShape},
	{"focus", []string{"ground", "surface", "raised", "sunken", "accent-soft", "good-soft", "warn-soft", "bad-soft"}, ofShape},
	{"accent", []string{"calm-edge"}, ofShape}, // a progress bar
}

var token = regexp.MustCompile(`--([a-z0-9-]+):\s*light-dark\(#([0-9a-f]{6}),\s*#([0-9a-f]{6})\)`)

func TestTokens_HaveContrastInBothThemes(t *testing.T) {
	themes := []map[string]string{{}, {}}
	for _, m := range token.FindAllStringSubmatch(string(read("style/tokens.css")), -1) {
		themes[0][m[1]], themes[1][m[1]] = m[2], m[3]
	}
	for i, colours := range themes {
		name := []string{"light", "dark"}[i]
		for _, p := range pairs {
			for _, behind := range p.on {
				if colours[p.front] == "" || colours[behind] == "" {
					t.Fatalf("there is no token %s or %s", p.front, behind)
				}
				if got := contrast(t, colours[p.front], colours[behind]); got < p.least {
					t.Errorf("%s: %s on %s is %.2f, less than %.1f", name, p.front, behind, got, p.least)
				}
			}
		}
	}
}

// contrast is that of WCAG 2: between 1 and 21.
func contrast(t *testing.T, a, b string) float64 {
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	part := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*part(n>>16) + 0.7152*part(n>>8) + 0.0722*part(n)
}
