package overview

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/internal/history"
	"github.com/holdfast-backup/holdfast/internal/locale"
	"github.com/holdfast-backup/holdfast/internal/web/ui"
)

// grown is a record of so many days, with sizes of each.
func grown(days, perDay int, size func(n int) (logical, stored int64)) history.Log {
	var l history.Log
	for n := range days * perDay {
		logical, stored := size(n)
		at := noon.Add(-time.Duration(days*perDay-n) * 24 * time.Hour / time.Duration(perDay)).Truncate(history.Width)
		l.Buckets = append(l.Buckets, history.Bucket{Start: holdfast.At(at), Size: &history.Size{LogicalBytes: logical, StoredBytes: stored}})
	}
	return l
}

var numbers = regexp.MustCompile(`-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?`)

// held tells what is wrong with a picture: it must be XML without attributes that the policy
// refuses, and lie within its box.
func held(t *testing.T, trend Trend, lang locale.Lang) {
	t.Helper()
	p := ui.Page{L: locale.Of(lang), Now: noon, Zone: time.UTC}
	pic := trend.picture(p.L.Dir() == "rtl")
	var out bytes.Buffer
	if err := trendPicture(p, trend, pic).Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(&out)
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", lang, err)
		}
		if e, ok := token.(xml.StartElement); ok {
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("%s has %s", e.Name.Local, a.Name.Local)
				}
			}
		}
	}
	for _, path := range []string{pic.Logical, pic.Stored, pic.Area} {
		if strings.ContainsAny(path, "NIe") || len(path) > 8000 {
			t.Errorf("%d bytes of path: %.200s", len(path), path)
		}
		for i, text := range numbers.FindAllString(path, -1) {
			n, err := strconv.ParseFloat(text, 64)
			if err != nil || n < 0 || n > []float64{pictureWidth, pictureHeight}[i%2] {
				t.Errorf("%s at %d is outside", text, i)
			}
		}
	}
}

func TestTrend_OfAnySizesLiesWithinItsBox(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 2))
	for name, c := range map[string]struct {
		log    history.Log
		now    *history.Size
		points int
	}{
		"nothing":              {history.Log{}, nil, 0},
		"only now":             {history.Log{}, &history.Size{StoredBytes: 12, LogicalBytes: 100}, 1},
		"empty backups":        {grown(3, 1, func(int) (int64, int64) { return 0, 0 }), nil, 3},
		"a day":                {grown(1, 48, func(n int) (int64, int64) { return int64(n), int64(n) }), nil, 2},
		"growth by a thousand": {grown(60, 1, func(n int) (int64, int64) { s := int64(40000 * math.Pow(1.13, float64(n))); return 3 * s, s }), nil, 60},
		"years":                {grown(400, 4, func(n int) (int64, int64) { return int64(n) << 20, int64(n) << 10 }), &history.Size{StoredBytes: 5}, 92},
		"anything":             {grown(90, 3, func(int) (int64, int64) { return r.Int64(), r.Int64() }), nil, 91},
		"all there is":         {grown(3, 1, func(int) (int64, int64) { return math.MaxInt64, math.MaxInt64 - 1 }), nil, 3},
	} {
		got := trend(c.log, c.now, noon)
		if n := len(got.Points); n < c.points-1 || n > c.points {
			t.Errorf("%s: %d points, want %d", name, n, c.points)
		}
		for _, p := range got.Points {
			if p.Logical > got.Top || p.Stored > got.Top {
				t.Errorf("%s (seed %d): %+v is above the axis, %d", name, seed, p, got.Top)
			}
		}
		if len(got.Points) == 0 {
			if got.picture(false).Logical != "" {
				t.Errorf("%s: something is drawn", name)
			}
			continue
		}
		for _, lang := range locale.Languages() {
			held(t, got, lang)
		}
	}
}

// The newest is where reading ends.
func TestTrend_GoesTheWayOfReading(t *testing.T) {
	trend := trend(grown(2, 1, func(n int) (int64, int64) { return 100 * int64(n+1), 10 }), nil, noon)
	left, right := trend.picture(false).Logical, trend.picture(true).Logical
	if !strings.HasPrefix(left, "M0 ") || !strings.Contains(left, "L1000 ") || !strings.HasPrefix(right, "M1000 ") || !strings.Contains(right, "L0 ") {
		t.Errorf("from the left %s, from the right %s", left, right)
	}
}

func TestNiceTop_IsRoundAndNotBelow(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	for range 2000 {
		n := r.Int64N(1 << r.IntN(62))
		top := niceTop(n)
		if top < n || top < 1024 && n <= 0 {
			t.Fatalf("seed %d: %d is below %d", seed, top, n)
		}
		if n > 0 && float64(top) > 2.6*float64(n) {
			t.Fatalf("seed %d: %d leaves %d at the bottom", seed, top, n)
		}
	}
	for n, want := range map[int64]int64{0: 1024, 1: 1, 3: 5, 900: 1000, 1024: 1024, 486 << 20: 500 << 20, 700 << 20: 1000 << 20, 1001 << 20: 2000 << 20} {
		if got := niceTop(n); got != want {
			t.Errorf("above %d: %d, want %d", n, got, want)
		}
	}
}
