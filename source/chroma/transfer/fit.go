package transfer

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/api"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// A loss is something of records that the server cannot keep.
type loss string

// ofOne says of one record what a loss says of several.
var ofOne = strings.NewReplacer("have ", "has ", "their ", "its ", "they are ", "it is ")

// of says how many records have the loss, and which is the first.
func (l loss) of(n int64, first string) string {
	if n == 1 {
		return fmt.Sprintf("record %.60q %s", first, ofOne.Replace(string(l)))
	}
	return fmt.Sprintf("%d records %s; the first is %.60q", n, l, first)
}

// The losses of records.
const (
	lostEmbedding  loss = "have no embedding, without which no server takes them: they are left out"
	badEmbedding   loss = "have an embedding that is not finite, or too long for its norm to be: they are left out"
	tooShort       loss = "have an embedding so short that the server forgets it: they are left out"
	arrays         loss = "have arrays in their metadata, which this server cannot keep"
	emptyArrays    loss = "have empty arrays in their metadata, which the server forgets"
	rounded        loss = "have numbers in their metadata that this server rounds in the last of 17 digits"
	notFinite      loss = "have infinite numbers in their metadata, which no request can carry"
	reservedKeys   loss = `have metadata whose names begin with "chroma:", which stop the server's writer`
	emptyKeys      loss = "have metadata without a name, which the server refuses"
	unknownValues  loss = "have metadata of a kind that Chroma does not know"
	wrongDimension loss = "have an embedding of another dimension than the first: they are left out"
)

// A fitter makes of the records of one collection what the server can keep.
type fitter struct {
	server    api.Server
	space     string
	dimension int // of the first record; 0 before
}

// newFitter makes the fitter for the records of an item that has a copy: what goes into a
// collection that stays has to fit into that.
func newFitter(it *item, server api.Server) fitter {
	f := fitter{server: server, space: it.from.Space}
	if it.action == holdfast.PartMerge {
		f.space, f.dimension = it.live.Space, it.live.Dimension
	}
	return f
}

// fit gives the record as the server can keep it, and what is lost; false if it cannot
// be kept at all.
func (f *fitter) fit(r disk.Record) (record, []loss, bool) {
	out := record{ID: r.ID, Document: r.Document, URI: r.URI, Embedding: r.Embedding}
	switch {
	case r.ID == "" || len(r.Embedding) == 0:
		return out, []loss{lostEmbedding}, false
	case f.dimension != 0 && len(r.Embedding) != f.dimension:
		return out, []loss{wrongDimension}, false
	case !finite(r.Embedding, f.space):
		return out, []loss{badEmbedding}, false
	case f.space == disk.SpaceCosine && tiny(r.Embedding):
		return out, []loss{tooShort}, false
	}
	f.dimension = len(r.Embedding)
	var losses []loss
	lose := func(l loss) {
		if !slices.Contains(losses, l) {
			losses = append(losses, l)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Metadata)) {
		v := r.Metadata[key]
		if l := f.unkept(key, v); l != "" {
			lose(l)
			continue
		}
		if v == nil {
			continue
		}
		v, exact := nearest(v, f.server.Kept)
		if !exact {
			lose(rounded)
		}
		if out.Metadata == nil {
			out.Metadata = holdfast.Values{}
		}
		out.Metadata[key] = v
	}
	return out, losses, true
}

// unkept tells why the server cannot keep a value; empty if it can.
func (f *fitter) unkept(key string, v any) loss {
	switch {
	case strings.HasPrefix(key, "chroma:"):
		return reservedKeys
	case key == "":
		return emptyKeys
	}
	switch v := v.(type) {
	case nil, string, bool, int64:
		return ""
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return notFinite
		}
		return ""
	case []any:
		if !f.server.Arrays {
			return arrays
		}
		if len(v) == 0 {
			return emptyArrays
		}
		for _, x := range v {
			if l := f.unkept("element", x); l != "" {
				return l
			}
		}
		return ""
	}
	return unknownValues
}

// nearest gives a value as a server keeps it that rounds numbers, and whether that is the
// value itself.
func nearest(v any, kept func(float64) float64) (any, bool) {
	switch v := v.(type) {
	case float64:
		k := kept(v)
		return k, k == v
	case []any:
		out, exact := make([]any, len(v)), true
		for i, one := range v {
			is := false
			out[i], is = nearest(one, kept)
			exact = exact && is
		}
		return out, exact
	}
	return v, true
}

// finite tells whether a server can keep a vector: in the cosine space it divides by
// the norm, which must be finite, too.
func finite(v []float32, space string) bool {
	var sum float32
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
		sum += x * x
	}
	return space != disk.SpaceCosine || !math.IsInf(float64(sum), 0)
}

// tiny tells of a vector that is not zero and whose norm a server cannot keep: in 32 bits
// the squares of its numbers are nothing, or next to it.
func tiny(v []float32) bool {
	const least = 1e-35 // of the sum of squares; the smallest float32 of full precision is 1.2e-38
	var sum float32
	zero := true
	for _, x := range v {
		sum += x * x
		zero = zero && x == 0
	}
	return !zero && sum < least
}

// A tally counts the losses of one collection, and remembers of each kind the first.
type tally struct {
	order []loss
	count map[loss]int64
	first map[loss]string
}

func (t *tally) add(id string, losses []loss) {
	if t.count == nil {
		t.count, t.first = map[loss]int64{}, map[loss]string{}
	}
	for _, l := range losses {
		if t.count[l] == 0 {
			t.order = append(t.order, l)
			t.first[l] = id
		}
		t.count[l]++
	}
}

// problems tells the losses, one line for each kind.
func (t *tally) problems(p place) []holdfast.Problem {
	var problems []holdfast.Problem
	for _, l := range t.order {
		problems = append(problems, lossOf(p, l.of(t.count[l], t.first[l])))
	}
	return problems
}

// lossOf makes a problem of something that is lost.
func lossOf(p place, message string) holdfast.Problem {
	return holdfast.Problem{
		Object: "collection " + p.String(), Severity: holdfast.Incomplete, Message: message,
		Hint: "accept the losses, or restore into a server that keeps them, or into a directory",
	}
}
