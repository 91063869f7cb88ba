package api

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// Servers from 1.0 on read numbers quickly and not always rightly: the digits become a
// float64 that is then multiplied or divided by a power of ten, rounded twice. Of the
// shortest texts of float64s many come out as a neighbour. Of all the texts of a number
// some survive that: an integer that is itself a float64, with a power of ten that is
// one, too, is rounded once, so that whoever reads rightly reads the same.
//
// The metadata of a record is read once more, from the server's own log, where it stands
// in its shortest text. So what is sent is the number that becomes the right one there.
// Some numbers do not come out of that at all: see Server.Kept.

// exactPower is the largest power of ten that a float64 holds exactly.
const exactPower = 22

// appendFloat writes a float with a point or an exponent, in a text that every server
// reads as this number, if there is one.
func appendFloat(b []byte, f float64) []byte {
	n := len(b)
	b = appendPlain(b, f)
	if f == 0 || readQuickly(string(b[n:])) == f {
		return b
	}
	for k := exactPower; k >= -exactPower; k-- {
		if digits, ok := digitsOf(math.Abs(f), k); ok {
			b = b[:n]
			if f < 0 {
				b = append(b, '-')
			}
			b = strconv.AppendUint(b, digits, 10)
			return strconv.AppendInt(append(b, 'e'), int64(-k), 10)
		}
	}
	return b
}

// neighbours is how far a number is looked for that becomes another in the log.
const neighbours = 3

// beforeLog is the number that has to be sent for f to come out of the server's log, or
// f where there is none.
func beforeLog(f float64) float64 {
	down, up := f, f
	for range neighbours + 1 {
		for _, u := range []float64{down, up} {
			if afterLog(u) == f {
				return u
			}
		}
		down, up = math.Nextafter(down, math.Inf(-1)), math.Nextafter(up, math.Inf(1))
	}
	return f
}

// afterLog is what a number in the server's log is read as. It stands there with an exponent
// where it is large: written out it has more digits than are read.
func afterLog(f float64) float64 { return readQuickly(strconv.FormatFloat(f, 'e', -1, 64)) }

// Kept is what the server makes of a number in the metadata of a record that it is sent
// by this package: the number itself, or one beside it where the server cannot keep it.
// Such a number comes only from older servers, or from a directory that they wrote.
func (s Server) Kept(f float64) float64 {
	if !s.quick() {
		return f
	}
	return afterLog(s.KeptOfCollection(beforeLog(f)))
}

// KeptOfCollection is Kept for the metadata of a collection.
func (s Server) KeptOfCollection(f float64) float64 {
	if !s.quick() {
		return f
	}
	return readQuickly(string(appendFloat(nil, f)))
}

// quick tells whether the server reads numbers in the quick way.
func (s Server) quick() bool { return s.API != V1 && !strings.HasPrefix(s.Version, "0.") }

// digitsOf looks for an integer that is f when it is divided by 10 to the k, with
// nothing rounded but the quotient.
func digitsOf(f float64, k int) (uint64, bool) {
	scale := func(s float64) float64 { return s / power(k) }
	guess := math.Round(f * power(k))
	if k < 0 {
		scale = func(s float64) float64 { return s * power(-k) }
		guess = math.Round(f / power(-k))
	}
	if guess < 1 || guess >= 1<<63 {
		return 0, false
	}
	for _, s := range []float64{guess, math.Nextafter(guess, 0), math.Nextafter(guess, math.Inf(1)), guess - 1, guess + 1} {
		if s == math.Trunc(s) && scale(s) == f {
			return uint64(s), true
		}
	}
	return 0, false
}

// readQuickly reads a number as the newer servers do.
func readQuickly(text string) float64 {
	text, negative := strings.CutPrefix(text, "-")
	mantissa, exponentText, _ := strings.Cut(text, "e")
	exponent, _ := strconv.Atoi(exponentText) // none is zero
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits, err := strconv.ParseUint(whole+fraction, 10, 64)
	if err != nil {
		return math.NaN()
	}
	exponent -= len(fraction)
	f := float64(digits)
	if exponent >= 0 {
		f *= power(exponent)
	} else {
		if exponent < -308 {
			f /= 1e308
			exponent += 308
		}
		f /= power(-exponent)
	}
	if negative {
		return -f
	}
	return f
}

// power is 10 to the n as a float64.
func power(n int) float64 { return math.Pow10(n) }

// A numeral writes a float64.
type numeral func(b []byte, f float64) []byte

// numeral is how the server has to be told the floats of metadata: of a record, which
// go through its log, or of a collection.
func (s Server) numeral(ofRecord bool) numeral {
	switch {
	case !s.quick():
		return appendPlain
	case ofRecord:
		return func(b []byte, f float64) []byte { return appendFloat(b, beforeLog(f)) }
	}
	return appendFloat
}

// appendPlain writes a float in its shortest text, with a point or an exponent.
func appendPlain(b []byte, f float64) []byte {
	n := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	if !bytes.ContainsAny(b[n:], ".e") {
		b = append(b, ".0"...)
	}
	return b
}

// appendValues writes metadata; the names are in order.
func appendValues(b []byte, v holdfast.Values, number numeral) ([]byte, error) {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			b = append(b, ',')
		}
		name, err := marshal(key)
		if err != nil {
			return nil, err
		}
		if b, err = appendValue(append(append(b, name...), ':'), v[key], number); err != nil {
			return nil, fmt.Errorf("the metadata %q: %w", key, err)
		}
	}
	return append(b, '}'), nil
}

func appendValue(b []byte, v any, number numeral) ([]byte, error) {
	switch v := v.(type) {
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("%v is a number that no server takes", v)
		}
		return number(b, v), nil
	case []any:
		b = append(b, '[')
		for i, one := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendValue(b, one, number); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	case nil, bool, int64, string:
		text, err := marshal(v)
		return append(b, text...), err
	}
	return nil, errors.New("it is of a type that no server takes")
}
