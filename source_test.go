package holdfast

import (
	"testing"
	"time"
)

func TestCheckOptions_Hopeless(t *testing.T) {
	for _, c := range []struct {
		budget time.Duration
		size   int64
		want   bool
	}{
		{500 * time.Millisecond, 100 << 20, false},
		{500 * time.Millisecond, 257 << 20, true},
		{2 * time.Second, 1 << 30, false},
		{0, 1 << 50, false}, // no limit
	} {
		if got := (CheckOptions{Budget: c.budget}).Hopeless(c.size); got != c.want {
			t.Errorf("Hopeless(%d) with a budget of %v = %t, want %t", c.size, c.budget, got, c.want)
		}
	}
}
