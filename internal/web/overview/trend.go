package overview

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast/internal/history"
)

// trendDays is how far back the trend reaches.
const trendDays = 90

// A Trend is how much there was over time.
type Trend struct {
	Points []Point // in the order of time, at most one a day and one of now
	Top    int64   // the end of the axis: not below any point
}

// A Point is how much there was at a moment.
type Point struct {
	At              time.Time
	Logical, Stored int64
}

// trend takes the last size of each day, and that of now.
func trend(l history.Log, now *history.Size, at time.Time) Trend {
	var t Trend
	add := func(p Point) {
		if last := len(t.Points) - 1; last >= 0 && p.At.Sub(t.Points[last].At) < 24*time.Hour && sameDay(p.At, t.Points[last].At) {
			t.Points[last] = p
			return
		}
		t.Points = append(t.Points, p)
	}
	from := at.AddDate(0, 0, -trendDays)
	for _, b := range l.Buckets {
		if end := b.Start.Add(history.Width); b.Size != nil && end.After(from) && !b.Start.After(at) {
			if end.After(at) {
				end = at
			}
			add(Point{end, b.Size.LogicalBytes, b.Size.StoredBytes})
		}
	}
	if now != nil {
		add(Point{at, now.LogicalBytes, now.StoredBytes})
	}
	for _, p := range t.Points {
		t.Top = max(t.Top, p.Logical, p.Stored)
	}
	t.Top = niceTop(t.Top)
	return t
}

func sameDay(a, b time.Time) bool {
	return a.UTC().Truncate(24*time.Hour) == b.UTC().Truncate(24*time.Hour)
}

// niceTop is the least round size that is not below n: 1, 2 or 5 times a power of ten of
// a binary unit, so that half of it is round, too.
func niceTop(n int64) int64 {
	if n <= 0 {
		return 1024
	}
	unit := 1.0
	for unit*1024 <= float64(n) {
		unit *= 1024
	}
	for step := 1.0; ; step *= 10 {
		for _, times := range []float64{1, 2, 5} {
			if top := times * step * unit; top >= float64(n) {
				if top >= math.MaxInt64 {
					return math.MaxInt64
				}
				return int64(top)
			}
		}
	}
}

// The picture's own units; it is as wide as there is room.
const (
	pictureWidth  = 1000
	pictureHeight = 200
)

// A Picture is the trend as lines.
type Picture struct {
	Logical, Stored string // of path elements
	Area            string // below Stored
	Dots            []Dot  // where there is only one point, which no line shows
}

// A Dot is a place in the picture.
type Dot struct{ X, Y string }

// picture draws the trend. Time goes the way of reading: where that is from the right, the
// newest is at the left.
func (t Trend) picture(rtl bool) Picture {
	if len(t.Points) == 0 {
		return Picture{}
	}
	first, last := t.Points[0].At, t.Points[len(t.Points)-1].At
	span := last.Sub(first).Seconds()
	x := func(at time.Time) float64 {
		part := 0.5
		if span > 0 {
			part = at.Sub(first).Seconds() / span
		}
		if rtl {
			part = 1 - part
		}
		return part * pictureWidth
	}
	y := func(n int64) float64 { return pictureHeight * (1 - float64(n)/float64(t.Top)) }
	if len(t.Points) == 1 {
		p := t.Points[0]
		return Picture{Dots: []Dot{{coordinate(x(p.At)), coordinate(y(p.Logical))}, {coordinate(x(p.At)), coordinate(y(p.Stored))}}}
	}
	line := func(of func(Point) int64) string {
		var b strings.Builder
		for i, p := range t.Points {
			b.WriteByte("ML"[min(i, 1)])
			b.WriteString(coordinate(x(p.At)) + " " + coordinate(y(of(p))))
		}
		return b.String()
	}
	out := Picture{
		Logical: line(func(p Point) int64 { return p.Logical }),
		Stored:  line(func(p Point) int64 { return p.Stored }),
	}
	bottom := coordinate(pictureHeight)
	out.Area = out.Stored + "L" + coordinate(x(last)) + " " + bottom + "L" + coordinate(x(first)) + " " + bottom + "Z"
	return out
}

// coordinate writes a place within the picture, to a tenth.
func coordinate(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10, 'f', -1, 64)
}
