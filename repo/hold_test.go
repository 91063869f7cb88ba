package repo

import (
	"errors"
	"reflect"
	"testing"

	"github.com/holdfast-backup/holdfast"
)

var aHold = Hold{
	Since: holdfast.At(testTime), Backup: "tuesday",
	Shrunk: []Shrink{
		{Source: "bot", Before: "monday", Unit: UnitRecords, From: 1000, To: 10},
		{Source: "روزها", Before: "sunday", Unit: UnitBytes, From: 1 << 40, To: 0},
	},
}

func TestHold_IsWhatWasSetUntilItEnds(t *testing.T) {
	r, b := newRepo(t)
	wantHold := func(want *Hold) {
		t.Helper()
		again, err := Open(t.Context(), b, Options{}) // by whoever comes next
		if err != nil {
			t.Fatal(err)
		}
		got, err := again.Hold(t.Context())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v, want %+v", got, err, want)
		}
	}
	wantHold(nil)
	if err := r.SetHold(t.Context(), aHold); err != nil {
		t.Fatal(err)
	}
	wantHold(&aHold)
	other := Hold{Since: holdfast.At(testTime), Backup: "wednesday", Shrunk: []Shrink{}}
	if err := r.SetHold(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	wantHold(&other)
	for range 2 { // ending what has ended does nothing
		if err := r.EndHold(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	wantHold(nil)
}

// Whatever happens to the note: it is the hold that was set, or an error.
func TestHold_DamageIsNeverNoHold(t *testing.T) {
	r, b := newRepo(t)
	if err := r.SetHold(t.Context(), aHold); err != nil {
		t.Fatal(err)
	}
	whole, err := readSmall(t.Context(), b, holdKey)
	if err != nil {
		t.Fatal(err)
	}
	damaged := func(what string, data []byte) {
		t.Helper()
		if err := b.Corrupt(holdKey, func([]byte) []byte { return data }); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Hold(t.Context()); !errors.Is(err, holdfast.ErrDamaged) || holdfast.HintOf(err) == "" {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for n := range whole {
		flipped := append([]byte(nil), whole...)
		flipped[n] ^= 1 << (n % 8)
		damaged("a flipped bit", flipped)
		damaged("a cut", whole[:n])
	}
}

func TestHold_OfANewerFormatIsRefused(t *testing.T) {
	r, b := newRepo(t)
	data, err := seal(holdFile{Format: holdfast.FormatVersion + 1, Hold: aHold})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Put(t.Context(), holdKey, data, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Hold(t.Context()); !errors.Is(err, holdfast.ErrRefused) {
		t.Errorf("got %v", err)
	}
}
