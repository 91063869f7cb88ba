package entry

import (
	"net/url"
	"strings"
	"testing"

	"github.com/holdfast-backup/holdfast/internal/locale"
)

func TestOnward_LeadsToPagesOfOursOnly(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/": "/", "/backups": "/backups", "/backups?q=a&sort=size": "/backups?q=a&sort=size", "/backups/%E0%B8%81": "/backups/%E0%B8%81",
		"/login": "/", "/login?next=/login": "/", "/logout": "/", "/logout/everywhere": "/", "/strip": "/",
		"//attacker.example": "/", "///attacker.example": "/", `/\attacker.example`: "/", `\\attacker.example`: "/", "/\t/attacker.example": "/",
		"https://attacker.example": "/", "javascript:alert(1)": "/", "backups": "/", "?x": "/", "#x": "/", " /backups": "/",
		"http:/backups": "/", "//127.0.0.1:8484@attacker.example/": "/", "/\n//attacker.example": "/", "/%2f/attacker.example": "/%2f/attacker.example",
	} {
		if got := onward(next); got != want {
			t.Errorf("%q leads to %q, want %q", next, got, want)
		}
	}
}

// However a browser reads it, the reader stays here.
func FuzzOnward_NeverLeadsElsewhere(f *testing.F) {
	for _, next := range []string{"/", "//a", `/\a`, "/a/../..//b", "http://a", "/\t/a", "/.//a", "/%09/a", "/a?b=//c", "/a#//b", "///", "/;/a"} {
		f.Add(next)
	}
	here, err := url.Parse("http://127.0.0.1:8484/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, next string) {
		got := onward(next)
		u, err := here.Parse(got)
		if err != nil || u.Scheme != here.Scheme || u.Host != here.Host || u.User != nil {
			t.Fatalf("%q leads to %q: %v, %v", next, got, u, err)
		}
		// Browsers take tabs and line ends out, and \ for /.
		read := strings.NewReplacer("\t", "", "\n", "", "\r", "", `\`, "/").Replace(strings.TrimFunc(got, func(r rune) bool { return r <= ' ' }))
		if !strings.HasPrefix(read, "/") || strings.HasPrefix(read, "//") {
			t.Fatalf("%q leads to %q, which a browser reads as %q", next, got, read)
		}
	})
}

func TestStrength_IsSaidInWords(t *testing.T) {
	for password, want := range map[string]strength{
		"aaaaaaaaaaaaaaaa": weak, "1234567890": weak, "password1234": weak, "holdfast2026": weak, "abcdefghijkl": weak, "202611221545": weak,
		"blue-Kettle7": fair, "correct horse battery": strong, "ม้าแก้วดินสอทะเลหมวก": strong, "x7#Qp!2mVz9&Lk": strong,
	} {
		if got := strengthOf(password); got != want {
			t.Errorf("%q is %s, want %s", password, got, want)
		}
	}
}

func TestAgent_IsSaidInWords(t *testing.T) {
	l := locale.Of(locale.English)
	plain := strings.NewReplacer("\u2068", "", "\u2069", "")
	for agent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0":                   "Edge on Windows",
		"Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Mobile Safari/537.36":                                "Chrome on Android",
		"curl/8.9": "curl", "": "Unknown browser", "<script>": "Unknown browser", "Something (Macintosh; Intel Mac OS X)": "A browser on macOS",
	} {
		if got := plain.Replace(agentWords(l, agent)); got != want {
			t.Errorf("%q is %q, want %q", agent, got, want)
		}
	}
}
