package transfer

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// tolerance is how far a number of an embedding may be from what was sent, relative to
// the embedding's largest, where the server keeps norm and direction apart.
const tolerance = 1e-5

// differs tells in what a record differs from the one that was sent; empty if in
// nothing.
func differs(got, want record, space string) string {
	switch {
	case !sameText(got.Document, want.Document):
		return "its document"
	case !sameText(got.URI, want.URI):
		return "its uri"
	case !sameVector(got.Embedding, want.Embedding, space):
		return "its embedding"
	}
	if key, same := sameValues(got.Metadata, want.Metadata); !same {
		return fmt.Sprintf("its metadata %.60q", key)
	}
	return ""
}

func sameText(a, b *string) bool {
	return (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// sameVector compares bit by bit, but that zero has two signs, and in the cosine space
// by the tolerance.
func sameVector(got, want []float32, space string) bool {
	if slices.Equal(got, want) {
		return true
	}
	if len(got) != len(want) || space != disk.SpaceCosine {
		return false
	}
	largest := 0.0
	for _, x := range want {
		largest = max(largest, math.Abs(float64(x)))
	}
	for i := range want {
		if !(math.Abs(float64(got[i])-float64(want[i])) <= tolerance*largest) {
			return false
		}
	}
	return true
}

// sameValues compares typed values; it names one that differs.
func sameValues(got, want holdfast.Values) (string, bool) {
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if v, ok := got[key]; !ok || !sameValue(v, want[key]) {
			return key, false
		}
	}
	for key := range got {
		if _, ok := want[key]; !ok {
			return key, false
		}
	}
	return "", true
}

func sameValue(a, b any) bool {
	x, isList := a.([]any)
	y, alsoList := b.([]any)
	if isList != alsoList {
		return false
	}
	if isList {
		return slices.EqualFunc(x, y, sameValue)
	}
	return a == b
}
