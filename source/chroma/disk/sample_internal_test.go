package disk

import "testing"

func TestBetween_RisesFromTheFirstToTheLast(t *testing.T) {
	for _, c := range []struct{ first, last string }{
		{"", "z"}, {"a", "a"}, {"note-000", "note-094"}, {"0000", "ffff"}, {"ก", "ฮ"}, {"a", "ab"}, {"x\x00", "x\xff\xff\xff\xff\xff"},
	} {
		before := ""
		for i := range 7 {
			got := between(c.first, c.last, i, 6)
			if got < before || got > c.last+"\x00\x00\x00\x00" {
				t.Errorf("between %q and %q, %d of 6 is %q after %q", c.first, c.last, i, got, before)
			}
			before = got
		}
	}
}
