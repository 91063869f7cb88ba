package needle_test

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/holdfast-backup/holdfast/internal/needle"
)

func TestFind(t *testing.T) {
	for _, tt := range []struct {
		needle, text string
		at, length   int
	}{
		{"hello", "say HELLO there", 4, 5},
		{"ÄPFEL", "zwei äpfel", 5, 6},
		{"straße", "die STRASSE", -1, 0}, // letters are compared one by one
		{"k", "300 \u212a", 4, 3},        // the sign of kelvin
		{"ΣΟΦΟΣ", "σοφος σοφος", 0, 10},
		{"سلام", "گفت سلام", 7, 8},
		{"aab", "aaab", 1, 3},
		{"100%", "at 100% of", 3, 4},
		{"x", "", -1, 0},
		{"", "anything", -1, 0},
		{"a\xffb", "A\xffB", 0, 3},
	} {
		at, length := needle.New(tt.needle).Find(tt.text)
		if at != tt.at || length != tt.length {
			t.Errorf("%q in %q: at %d for %d, want %d for %d", tt.needle, tt.text, at, length, tt.at, tt.length)
		}
	}
}

func TestIn_ShowsWhatIsAround(t *testing.T) {
	text := strings.Repeat("ä", 200) + "Needle" + strings.Repeat("ö", 200)
	got, ok := needle.New("needle").In(text)
	if !ok || got.Text[got.At:got.At+got.Length] != "Needle" {
		t.Fatalf("got %+v", got)
	}
	if !strings.Contains(text, got.Text) || strings.ContainsRune(got.Text, '\ufffd') || len(got.Text) < 100 || len(got.Text) > 130 {
		t.Errorf("the snippet is %q", got.Text)
	}
}

// everything lets every piece through.
func everything([]byte) error { return nil }

func TestRead_FindsWhereverTheStreamIsCut(t *testing.T) {
	n := needle.New("НАЙДИ меня")
	for _, before := range []int{0, 1, 63 << 10, 64<<10 - 7, 64 << 10, 64<<10 + 1, 128<<10 - 3, 300_000} {
		text := strings.Repeat("ж", before/2) + strings.Repeat("z", before%2) + "найди МЕНЯ" + strings.Repeat("я", 100)
		want, _ := n.In(text)
		got, ok, err := n.Read(iotest.HalfReader(strings.NewReader(text)), everything)
		if err != nil || !ok || got != want {
			t.Errorf("after %d bytes: %+v %v %v, want %+v", before, got, ok, err, want)
		}
	}
	if _, ok, err := n.Read(strings.NewReader(strings.Repeat("найди ", 50_000)), everything); ok || err != nil {
		t.Errorf("found what is not there: %v", err)
	}
	broken := errors.New("broken")
	if _, _, err := n.Read(iotest.ErrReader(broken), everything); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of the stream", err)
	}
	if _, _, err := n.Read(strings.NewReader("x"), func([]byte) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("got %v, want the error of who looks on", err)
	}
}
