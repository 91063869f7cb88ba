package main

import (
	"hash/fnv"
	"math"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// The embedder needs no model: a text is the words and the pieces of words that
// stand in it, each hashed to one of 256 numbers. Texts that share many of them
// are near each other. It is the same on every machine and in every language,
// also where words are not separated, as in Thai. Whoever has a real model puts
// it into vector, and changes nothing else.

const dimensions = 256

// vector gives the vector of a text, of length one. A text without letters and
// digits has one, too, since Chroma takes no vector of zeros.
func vector(text string) []float32 {
	var sum [dimensions]float64
	for _, t := range terms(text) {
		h := fnv.New64a()
		h.Write([]byte(t.text)) //nolint:errcheck // a hash takes everything
		n := h.Sum64()
		sign := 1.0
		if n>>63 == 1 {
			sign = -1 // so that what meets by chance does not add up
		}
		sum[n%dimensions] += sign * t.weight * (1 + math.Log(float64(t.count)))
	}
	var length float64
	for _, x := range sum {
		length += x * x
	}
	if length == 0 {
		sum[0], length = 1, 1
	}
	out := make([]float32, dimensions)
	for i, x := range sum {
		out[i] = float32(x / math.Sqrt(length))
	}
	return out
}

// A term is a word, or a piece of one.
type term struct {
	text   string
	weight float64
	count  int
}

const (
	wordWeight  = 1.0
	pieceWeight = 0.35 // of a word that counts itself, too
	thaiWeight  = 0.7  // of a piece of a script without spaces
)

// terms gives the different terms of a text in the order in which they appear.
func terms(text string) []term {
	var out []term
	at := map[string]int{}
	add := func(text string, weight float64) {
		if i, known := at[text]; known {
			out[i].count++
			return
		}
		at[text] = len(out)
		out = append(out, term{text, weight, 1})
	}
	for _, run := range runs(text) {
		runes := []rune(run)
		if unspaced(runes[0]) {
			for n := 3; n <= 4; n++ {
				pieces(runes, n, func(piece string) { add("~"+piece, thaiWeight) })
			}
			if len(runes) < 3 {
				add("~"+run, thaiWeight)
			}
			continue
		}
		if common[run] {
			continue
		}
		add(run, wordWeight)
		if len(runes) > 3 {
			pieces(runes, 4, func(piece string) { add("~"+piece, pieceWeight) })
		}
	}
	return out
}

// pieces gives every n letters of a run that follow each other.
func pieces(runes []rune, n int, each func(string)) {
	for i := 0; i+n <= len(runes); i++ {
		each(string(runes[i : i+n]))
	}
}

// runs cuts a text into runs of letters and digits of one kind of script, in the
// form in which they are compared.
func runs(text string) []string {
	var out []string
	var run []rune
	end := func() {
		if len(run) > 0 {
			out = append(out, string(run))
			run = nil
		}
	}
	for _, r := range folded(text) {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.IsMark(r) {
			end()
			continue
		}
		if len(run) > 0 && unspaced(r) != unspaced(run[0]) {
			end()
		}
		run = append(run, r)
	}
	end()
	return out
}

// alike are letters that Persian and Arabic keyboards write differently, and what
// is written or left out at pleasure.
var alike = strings.NewReplacer("ي", "ی", "ى", "ی", "ك", "ک", "ة", "ه", "\u200c", "", "\u0640", "", "\u200b", "")

// folded gives a text as it is compared: compatibility forms, cases and the
// letters that look alike are one.
func folded(text string) string {
	return strings.ToLower(alike.Replace(norm.NFKC.String(text)))
}

// unspaced tells whether a letter belongs to a script that does not separate words.
func unspaced(r rune) bool {
	return unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Han, unicode.Hiragana, unicode.Katakana)
}

// common are words that say nothing about what a text is about.
var common = set(`a about an and any are as at be by can did do does for from has have how i in is it its many me much my of on or our
	so tell than that the their them then there these they this to us was we were what when where which who whose why will with you your
	از است این آن آنها ای آیا با باید برای بر به بود پس تا چرا چند چه چیست چقدر چگونه خود در را شد شود کجا کدام کرد کند که کی ما من می نه و هر هم هست یا یک`)

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[folded(w)] = true
	}
	return out
}

// asking are the words of a Thai question that no answer repeats.
var asking = strings.NewReplacer(blanks("คืออะไร อะไรบ้าง อะไร เท่าไหร่ เท่าไร เท่าใด อย่างไร ยังไง ที่ไหน ตรงไหน เมื่อไหร่ เมื่อไร เมื่อใด ทำไม เพราะอะไร หรือไม่ หรือเปล่า ใช่ไหม ได้ไหม ไหม ใคร กี่ ครับ ค่ะ คะ คือ")...)

func blanks(words string) []string {
	var out []string
	for _, w := range strings.Fields(words) {
		out = append(out, w, " ")
	}
	return out
}

// about is a question without what only makes it a question.
func about(question string) string { return asking.Replace(norm.NFC.String(question)) }

// coverage tells which part of a question, from 0 to 1, is found in a passage. It
// compares the terms themselves and not their hashes, so chance has no part in it.
func coverage(question, passage string) float64 {
	there := map[string]bool{}
	for _, t := range terms(passage) {
		there[t.text] = true
	}
	var found, all float64
	for _, t := range terms(about(question)) {
		all += t.weight
		if there[t.text] {
			found += t.weight
		}
	}
	if all == 0 {
		return 0
	}
	return found / all
}
