package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

// samples are texts of which chunks are made: with spaces between words, between
// phrases, and with none at all.
var samples = []string{
	"Employees may work from home on two days a week. The core hours are 10:00 to 15:00! Is that all? Every team meets in the office.\n\n",
	"พนักงานประจำมีวันลาพักร้อนปีละ 12 วัน หลังทำงานครบหนึ่งปี วันลาที่เหลือเก็บสะสมไปปีถัดไปได้ไม่เกิน 6 วัน\n",
	"ผู้เชี่ยวชาญนำน้ำดื่มที่ซื้อจากร้านค้าปลีกข้างโรงเรียนมัธยม",
	"مرخصی زایمان شش ماه است و حقوق آن کامل پرداخت می‌شود. این قاعده برای همه است؟ بله.\n",
	"👩🏽‍🔬🇹🇭é ", "\n\n", " ",
}

// Every letter of a text is in a chunk, none is torn, and no chunk is too long.
func TestSplit_KeepsEveryLetterWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(samples), rapid.String()), 0, 12).Draw(t, "text"), "")
		if !utf8.ValidString(text) {
			text = strings.ToValidUTF8(text, "")
		}
		size := rapid.IntRange(2, 80).Draw(t, "size")
		overlap := rapid.IntRange(0, size/2).Draw(t, "overlap")
		begins := map[int]bool{len(text): true}
		for at, state, rest := 0, -1, text; rest != ""; {
			begins[at] = true
			var letter string
			letter, rest, _, state = uniseg.StepString(rest, state)
			at += len(letter)
		}
		covered, last := 0, -1
		for _, s := range spans(text, size, overlap) {
			chunk := text[s.from:s.to]
			if s.from <= last {
				t.Fatalf("%q does not go on", chunk)
			}
			if !begins[s.from] || !begins[s.to] {
				t.Fatalf("%q tears a letter of %q", chunk, text)
			}
			if n := uniseg.GraphemeClusterCount(chunk); n > size {
				t.Fatalf("%d letters, at most %d: %q", n, size, chunk)
			}
			if s.from > covered && strings.TrimSpace(text[covered:s.from]) != "" {
				t.Fatalf("%q is in no chunk", text[covered:s.from])
			}
			covered, last = max(covered, s.to), s.from
		}
		if strings.TrimSpace(text[covered:]) != "" {
			t.Fatalf("%q is in no chunk of %q", text[covered:], text)
		}
	})
}

// A chunk ends with a sentence, or in Thai with a phrase, where there is one.
func TestSplit_EndsWhereAReaderPauses(t *testing.T) {
	for _, tt := range []struct {
		text string
		size int
		want []string
	}{
		{"One two three. Four five six. Seven eight nine.", 32, []string{"One two three. Four five six.", "Seven eight nine."}},
		{"ลาพักร้อนปีละ 12 วัน เก็บสะสมได้ไม่เกิน 6 วัน แจ้งล่วงหน้า", 26, []string{"ลาพักร้อนปีละ 12 วัน", "เก็บสะสมได้ไม่เกิน 6 วัน", "แจ้งล่วงหน้า"}},
		{"نخست یک. دوم دو؟ سوم سه.", 18, []string{"نخست یک. دوم دو؟", "سوم سه."}},
		{"first\n\nsecond part", 12, []string{"first", "second part"}},
	} {
		got := split(tt.text, tt.size, 0)
		if strings.Join(got, "|") != strings.Join(tt.want, "|") {
			t.Errorf("%q is cut into %q", tt.text, got)
		}
	}
}

func TestSplit_Overlaps(t *testing.T) {
	got := split(strings.Repeat("word ", 60), 50, 20)
	for i := 1; i < len(got); i++ {
		if !strings.HasPrefix(got[i], "word word") || uniseg.GraphemeClusterCount(got[i]) > 50 {
			t.Errorf("chunk %d is %q", i, got[i])
		}
	}
	if all := strings.Count(strings.Join(got, " "), "word"); all <= 60 {
		t.Errorf("%d words of 60: there is no overlap", all)
	}
}

func TestReflow_JoinsLines(t *testing.T) {
	for page, want := range map[string]string{
		"The core hours are from ten\nto three on every day.\n\nWe meet in the office on it.\n": "The core hours are from ten to three on every day.\n\nWe meet in the office on it.",
		"วันลาที่เหลือเก็บสะสม\nไปปีถัดไปได้ไม่เกิน 6\nวัน":                                     "วันลาที่เหลือเก็บสะสมไปปีถัดไปได้ไม่เกิน 6 วัน",
		"น\u0e49\u0e4d\u0e32 จ\u0e4d\u0e32":           "น้ำ จำ",
		"a\x00b\u202bc\ufeff":                         "abc",
		"Title\nA much longer line that follows it\n": "Title\nA much longer line that follows it",
	} {
		if got := reflow(page); got != want {
			t.Errorf("%q becomes %q, want %q", page, got, want)
		}
	}
}
