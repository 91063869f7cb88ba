package survival

import "testing"

// What lies beside a volume lies on another storage.
func TestMarkerPath_OfAVolume(t *testing.T) {
	if got, want := MarkerPath("/proc"), "/proc/.proc.holdfast.json"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
