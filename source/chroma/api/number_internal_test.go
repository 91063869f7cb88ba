package api

import (
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
)

// What is sent must be the same number to whoever reads rightly, and to a quick reader
// more often than the shortest text would be.
func TestAppendFloat_IsReadRightByQuickReaders(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	const all = 100_000
	wrong, wrongShortest := 0, 0
	for range all {
		// Of all sizes between a thousandth and a trillion, in all precisions.
		f := (rng.Float64()*2 - 1) * math.Pow(10, float64(rng.IntN(16)-3))
		if rng.IntN(3) == 0 {
			f = math.Round(f*1000) / 3
		}
		text := string(appendFloat(nil, f))
		right, err := strconv.ParseFloat(text, 64)
		if err != nil || right != f {
			t.Fatalf("%v is written %s, read %v (%v)", f, text, right, err)
		}
		if quickly := readQuickly(text); quickly != f {
			wrong++
			if math.Abs(quickly-f) > 3e-16*math.Abs(f) {
				t.Fatalf("%v is written %s and quickly read %v, which is not even beside it", f, text, quickly)
			}
		}
		if afterLog(f) != f {
			wrongShortest++
		}
		newest := Server{API: V2, Version: "1.0.0"}
		kept := newest.Kept(f)
		if again := newest.Kept(kept); again != kept {
			t.Fatalf("%v is kept as %v, and that as %v", f, kept, again)
		}
		if math.Abs(kept-f) > 5e-16*math.Abs(f) {
			t.Fatalf("%v is kept as %v", f, kept)
		}
	}
	t.Logf("of %d numbers %d cannot be told; as shortest text %d would be misread", all, wrong, wrongShortest)
	if wrong*2 > wrongShortest {
		t.Errorf("of %d numbers %d are misread, of shortest texts %d: nothing is won", all, wrong, wrongShortest)
	}
}

// Whatever number there is, it is kept as itself or as one close to it.
func TestKept_IsBesideAnyNumber(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	newest := Server{API: V2, Version: "1.0.0"}
	for i := range 100_000 {
		f := math.Float64frombits(rng.Uint64())
		if i%2 == 0 {
			f = (rng.Float64()*2 - 1) * math.Pow(10, float64(15+rng.IntN(10)))
		}
		if math.IsNaN(f) || math.IsInf(f, 0) {
			continue
		}
		for _, kept := range []float64{newest.Kept(f), newest.KeptOfCollection(f)} {
			if !(math.Abs(kept-f) <= max(1e-14*math.Abs(f), 2*math.SmallestNonzeroFloat64)) {
				t.Fatalf("%v is kept as %v", f, kept)
			}
		}
	}
}

func TestAppendFloat_KeepsTheTypeAndOddNumbers(t *testing.T) {
	for f, want := range map[float64]string{
		2: "2.0", -17: "-17.0", 1e21: "1e+21", 0.1: "0.1",
		math.MaxFloat64:             "1.7976931348623157e+308",
		math.SmallestNonzeroFloat64: "5e-324",
	} {
		if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("%v is written %s, want %s", f, got, want)
		}
	}
	if got := string(appendFloat(nil, math.Copysign(0, -1))); got != "-0.0" {
		t.Errorf("the negative zero is written %s", got)
	}
}
