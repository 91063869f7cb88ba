package api

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

func TestAnswer_TellsWhatAServerHasLost(t *testing.T) {
	const text = `{"unknown":{"a":[1]},"embeddings":[ [0.1, -0.0,16777217] ,null,[1,null],[1e39],[]],"documents":["ก",null,"","d","e"],
		"metadatas":[{"whole":2,"float":2.0,"huge":9223372036854775808,"list":[1,2.5]},null,{},{"s":{"#type":"sparse_vector"},"k":true},null],
		"uris":null,"ids":["a","b","c","d","e"],"include":["embeddings"]}`
	a := answer{most: 5}
	if err := a.decode(iotest.OneByteReader(strings.NewReader(text))); err != nil {
		t.Fatal(err)
	}
	got, bad, err := a.records(disk.Everything)
	if err != nil {
		t.Fatal(err)
	}
	want := []disk.Record{
		{
			ID: "a", Document: new("ก"), Embedding: []float32{0.1, float32(math.Copysign(0, -1)), 16777216},
			Metadata: holdfast.Values{"whole": int64(2), "float": 2.0, "huge": 9223372036854775808.0, "list": []any{int64(1), 2.5}},
		},
		{ID: "b"},
		{ID: "c", Document: new("")},
		{ID: "d", Document: new("d"), Metadata: holdfast.Values{"k": true}},
		{ID: "e", Document: new("e"), Embedding: []float32{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	if !math.Signbit(float64(got[0].Embedding[1])) {
		t.Error("the sign of the zero is lost")
	}
	var lost []string
	for _, b := range bad {
		lost = append(lost, fmt.Sprintf("%s %d %v", b.ID, b.Lost, b.Err))
	}
	told := strings.Join(lost, "\n")
	for _, words := range []string{"b 8 the server has no embedding", "c 8 its embedding holds", "d 4 the metadata \"s\"", "d 8 the number 1e39"} {
		if !strings.Contains(told, words) {
			t.Errorf("%q is not told:\n%s", words, told)
		}
	}
	if len(bad) != 4 {
		t.Errorf("%d are told, want 4:\n%s", len(bad), told)
	}
}

func TestAnswer_RefusesWhatIsNone(t *testing.T) {
	for _, text := range []string{``, `[]`, `{"ids":`, `{"ids":{}}`, `{"ids":["a"],"embeddings":[1]}`, `{"ids":["a"],"embeddings":[["x"]]}`, `{"ids":["a"],"embeddings":[[1,,2]]}`, `{"ids":[1]}`} {
		a := answer{most: 9}
		if err := a.decode(strings.NewReader(text)); err == nil {
			t.Errorf("%s is an answer", text)
		}
	}
	short := answer{ids: []string{"a", "b"}, documents: []*string{nil}}
	if _, _, err := short.records(disk.Documents); err == nil {
		t.Error("columns of different lengths are records")
	}
}

// Whatever moves ahead while pages are read, what stays is listed once.
func TestPages_WhatStaysIsListedOnce(t *testing.T) {
	for _, removed := range []int{0, 1, 9, 30, 120} {
		var list []int
		for i := range 1000 {
			list = append(list, i)
		}
		gone := map[int]bool{}
		p := pages[int]{
			size: 100, window: leastWindow * 100, key: func(i int) string { return fmt.Sprint(i) },
			fetch: func(offset, limit int) ([]int, error) {
				page := slices.Clone(list[min(offset, len(list)):min(offset+limit, len(list))])
				if offset > 0 && len(list) > 500 {
					for _, i := range list[:removed] { // before the place of reading
						gone[i] = true
					}
					list = list[removed:]
				}
				return page, nil
			},
		}
		seen := map[int]int{}
		for i, err := range p.all {
			if err != nil {
				t.Fatal(err)
			}
			seen[i]++
		}
		for i := range 1000 {
			if seen[i] > 1 || seen[i] == 0 && !gone[i] {
				t.Fatalf("%d deleted a page: number %d is listed %d times", removed, i, seen[i])
			}
		}
	}
}

// A server that gives less at once than it is asked for loses nothing by it, and is not
// asked for each record.
func TestPages_AServerWithALimitOfItsOwn(t *testing.T) {
	for _, limit := range []int{50, 64, 100, 128, 256, 300, 512} {
		for _, moved := range []int{0, 30} { // ahead between two pages
			asked, ahead := 0, 0
			p := pages[int]{size: 1000, window: leastWindow * 1000, key: func(i int) string { return fmt.Sprint(i) }, fetch: func(offset, _ int) ([]int, error) {
				asked++
				var page []int
				for i := offset + ahead; i < min(offset+ahead+limit, 2345); i++ {
					page = append(page, i)
				}
				if offset > 0 && ahead < 600 {
					ahead += moved
				}
				return page, nil
			}}
			seen := map[int]bool{}
			for i := range p.all {
				seen[i] = true
			}
			// What was deleted lay before the place of reading.
			if len(seen) != 2345 || asked > 5*2345/limit+10 {
				t.Errorf("limit %d, %d deleted a page: %d of 2345 after %d requests", limit, moved, len(seen), asked)
			}
		}
	}
}

// A server that gives the same page for ever has no more than that, and a list that has no
// end is none.
func TestPages_EndWhereTheServerDoesNot(t *testing.T) {
	for name, next := range map[string]func(offset, i int) int{
		"the same page": func(_, i int) int { return i },
		"more and more": func(offset, i int) int { return offset + i },
	} {
		p := pages[int]{size: 100, window: everything, most: 2000, key: func(i int) string { return fmt.Sprint(i) }, fetch: func(offset, limit int) ([]int, error) {
			page := make([]int, limit)
			for i := range page {
				page[i] = next(offset, i)
			}
			return page, nil
		}}
		n := 0
		var failed error
		for _, err := range p.all {
			n++
			failed = err
		}
		if name == "the same page" && (failed != nil || n != p.size) || name != "the same page" && (failed == nil || n > p.most+1) {
			t.Errorf("%s: %d, %v", name, n, failed)
		}
	}
}

// What is torn between two reads is text; what ends in the middle of a character is not.
func TestBounded_TellsTextFromWhatIsNone(t *testing.T) {
	for text, is := range map[string]bool{
		"": true, "plain": true, "ก ข é 😀 \u2028": true, "é": true, "\xff": false, "a\xe0\xb8": false, "a\xe0\xb8b": false, "\xf0\x9f\x98": false, "\xed\xa0\x80": false, "x\x80": false,
	} {
		for name, from := range map[string]io.Reader{"whole": strings.NewReader(text), "byte by byte": iotest.OneByteReader(strings.NewReader(text)), "with its end": iotest.DataErrReader(strings.NewReader(text))} {
			got, err := io.ReadAll(&bounded{from: from, left: 100})
			if (err == nil) != is || is && string(got) != text {
				t.Errorf("%q, %s: %q, %v", text, name, got, err)
			}
		}
	}
}

// White space that comes in small pieces is looked at once, and not from its beginning with
// each of them.
func TestBounded_EndsSpacesWithoutEnd(t *testing.T) {
	spaces := iotest.OneByteReader(strings.NewReader("{" + strings.Repeat(" ", 2<<20)))
	a := answer{most: 1}
	if err := a.decode(&bounded{from: spaces, left: 1 << 20}); !errors.Is(err, errTooLong) {
		t.Errorf("it says %v", err)
	}
}

func TestRetryAfter_SecondsAndDates(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "30": 30 * time.Second, "-5": 0, "soon": 0, "1e300": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestAppendVector_ComesBackBitByBit(t *testing.T) {
	v := []float32{0, float32(math.Copysign(0, -1)), 1, 0.1, 1.0 / 3, math.MaxFloat32, math.SmallestNonzeroFloat32, 16777216, -7.038531e-26}
	text, err := appendVector(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	var back vector
	if err := back.UnmarshalJSON(text); err != nil || back.err != nil {
		t.Fatal(err, back.err)
	}
	for i := range v {
		if math.Float32bits(v[i]) != math.Float32bits(back.numbers[i]) {
			t.Errorf("%v comes back as %v from %s", v[i], back.numbers[i], text)
		}
	}
	if _, err := appendVector(nil, []float32{float32(math.NaN())}); err == nil {
		t.Error("what is no number is sent")
	}
}
