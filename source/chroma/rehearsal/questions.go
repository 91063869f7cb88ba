// Package rehearsal asks about a copy of a Chroma source what its server would be
// asked, and has the questions answered: by the copy itself, or by a server that is
// started on what was restored.
//
// questions.go tells what is noted at a capture, answers.go and rehearse.go how it is
// answered. [Start] runs the command of a configuration on a directory, for whoever
// needs a server there for a while.
package rehearsal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/source/chroma/content"
	"github.com/holdfast-backup/holdfast/source/chroma/disk"
)

// The bounds of the questions about one directory.
const (
	mostCollections = 200
	mostRecords     = 6        // of a collection
	leastRecords    = 2        // where there are many collections
	vectorBytes     = 64 << 10 // of all records, as far as leastRecords allows
)

// questionTime bounds how long the questions are thought of.
const questionTime = time.Second

// questionFormat is the version of the questions.
const questionFormat = 1

// questions is QuestionsDir/SOURCE.json: what a server was not asked but would have
// answered when the directory was captured.
type questions struct {
	Format      int        `json:"format"`
	Collections []question `json:"collections"`
	// LeftOut are collections that nothing is asked of, and why.
	LeftOut []leftOut `json:"left_out,omitempty"`
}

type leftOut struct {
	Collection string `json:"collection"`
	Reason     string `json:"reason"`
}

// A question is what is asked of one collection.
type question struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Tenant   string   `json:"tenant"`
	Database string   `json:"database"`
	Records  []answer `json:"records,omitempty"`

	// count is how many records the files hold: that is known when the questions
	// are asked.
	count int64
}

// An answer is one record as it was captured. What is empty is not compared.
type answer struct {
	ID       string `json:"id"`
	Document string `json:"document_sha256,omitempty"`
	Metadata string `json:"metadata_sha256,omitempty"`
	Vector   vector `json:"vector,omitempty"`
}

// absent stands for the hash of a document that is not there.
const absent = "none"

// label names a collection for people.
func (q question) label() string { return label(q.Tenant, q.Database, q.Name) }

func label(tenant, database, name string) string {
	if tenant == "default_tenant" && database == "default_database" {
		return name
	}
	return tenant + "/" + database + "/" + name
}

// Questions writes questions about a copy: a few records of every collection, with
// their vectors, by which the index of another moment gives itself away.
func Questions(ctx context.Context, copy fs.FS, w io.Writer) (n int, err error) {
	d, err := open(ctx, copy)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	q, err := ask(ctx, d)
	if err != nil {
		return 0, err
	}
	for _, c := range q.Collections {
		n += 1 + len(c.Records)
	}
	return n, json.NewEncoder(w).Encode(q)
}

// ask thinks of questions until the time is over.
func ask(ctx context.Context, d content.Content) (*questions, error) {
	collections := d.Collections()
	q := &questions{Format: questionFormat, Collections: []question{}}
	bounded, cancel := context.WithTimeoutCause(ctx, questionTime, errNoTime)
	defer cancel()
	for i, c := range collections {
		var one question
		err := errTooMany
		if i < mostCollections {
			one, err = askOf(bounded, d, c, recordsOf(c, len(collections)))
		}
		switch {
		case err == nil:
			q.Collections = append(q.Collections, one)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case bounded.Err() != nil:
			q.leave(c, errNoTime)
		case errors.Is(err, errTooMany), errors.Is(err, holdfast.ErrDamaged):
			q.leave(c, err)
		default:
			return nil, err
		}
	}
	return q, nil
}

// Why a collection is left out.
var (
	errNoTime  = errors.New("there was no time for it")
	errTooMany = fmt.Errorf("nothing is asked of more than %d collections", mostCollections)
)

// mostLeftOut bounds the collections that are named as left out.
const mostLeftOut = 1000

func (q *questions) leave(c disk.Collection, why error) {
	if len(q.LeftOut) < mostLeftOut {
		q.LeftOut = append(q.LeftOut, leftOut{label(c.Tenant, c.Database, c.Name), why.Error()})
	}
}

// recordsOf tells how many records of a collection are asked for, so that the
// vectors of all of them stay few.
func recordsOf(c disk.Collection, collections int) int {
	each := vectorBytes / max(4*c.Dimension, 1) / max(collections, 1)
	return min(max(each, leastRecords), mostRecords)
}

// askOf asks about one collection.
func askOf(ctx context.Context, d content.Content, c disk.Collection, most int) (question, error) {
	q := question{ID: c.ID, Name: c.Name, Tenant: c.Tenant, Database: c.Database}
	ids, err := sample(ctx, d, c, most)
	if err != nil {
		return q, err
	}
	records, err := d.Lookup(ctx, c, ids)
	if err != nil {
		return q, err
	}
	for _, r := range records {
		q.Records = append(q.Records, answerOf(r.ID, r.Document, r.Metadata, r.Embedding))
	}
	return q, ctx.Err()
}

// open opens a copy of any form; what is in a collection is counted only where it
// costs nothing.
func open(ctx context.Context, copy fs.FS) (content.Content, error) {
	if d, err := disk.OpenUncounted(ctx, copy); err == nil {
		return d, nil
	}
	return content.Open(ctx, copy) // which also tells what is wrong
}

// sample gives ids of a collection: from all over it where that is quickly had.
func sample(ctx context.Context, d content.Content, c disk.Collection, most int) ([]string, error) {
	if sampler, ok := d.(interface {
		SampleIDs(ctx context.Context, c disk.Collection, most int) ([]string, error)
	}); ok {
		return sampler.SampleIDs(ctx, c, most)
	}
	var ids []string
	for r, err := range d.Records(ctx, c, 0) {
		if err != nil {
			return nil, err
		}
		if ids = append(ids, r.ID); len(ids) >= most {
			break
		}
	}
	return ids, nil
}

// answerOf makes what is compared of a record.
func answerOf(id string, document *string, metadata holdfast.Values, embedding []float32) answer {
	a := answer{ID: id, Document: absent}
	if document != nil {
		a.Document = hash([]byte(*document))
	}
	if len(metadata) == 0 {
		metadata = holdfast.Values{}
	}
	// What JSON cannot hold is not answered by a server either.
	if text, err := metadata.MarshalJSON(); err == nil && !holdsInfinite(metadata) {
		a.Metadata = hash(text)
	}
	if v := vector(embedding); v.finite() {
		a.Vector = v
	}
	return a
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func holdsInfinite(v holdfast.Values) bool {
	infinite := func(x any) bool {
		f, isFloat := x.(float64)
		return isFloat && (math.IsInf(f, 0) || math.IsNaN(f))
	}
	for _, x := range v {
		if infinite(x) {
			return true
		}
		list, _ := x.([]any)
		for _, e := range list {
			if infinite(e) {
				return true
			}
		}
	}
	return false
}

// A vector is written as base64 of its numbers, 32 bits each, little-endian.
type vector []float32

// MarshalText implements encoding.TextMarshaler.
func (v vector) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 4*len(v))
	for _, f := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(f))
	}
	return base64.StdEncoding.AppendEncode(nil, b), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *vector) UnmarshalText(text []byte) error {
	b, err := base64.StdEncoding.AppendDecode(nil, text)
	if err == nil && len(b)%4 != 0 {
		err = fmt.Errorf("%d bytes", len(b))
	}
	if err != nil {
		return fmt.Errorf("a vector: %w", err)
	}
	*v = make(vector, 0, len(b)/4)
	for ; len(b) > 0; b = b[4:] {
		*v = append(*v, math.Float32frombits(binary.LittleEndian.Uint32(b)))
	}
	return nil
}

// finite tells whether a server can be asked with the vector.
func (v vector) finite() bool {
	for _, f := range v {
		if x := float64(f); math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return len(v) > 0
}

// tolerance is how far a number may be from the captured one, as a part of the
// largest number of the vector: of a cosine collection a server keeps the direction
// and the length, and multiplies them again.
const tolerance = 1e-5

// alike tells whether two vectors are the same, up to rounding.
func (v vector) alike(w vector) bool {
	if len(v) != len(w) {
		return false
	}
	largest := 0.0
	for _, f := range v {
		largest = max(largest, math.Abs(float64(f)))
	}
	for i := range v {
		if d := math.Abs(float64(v[i]) - float64(w[i])); !(d <= tolerance*largest+1e-30) {
			return false
		}
	}
	return true
}

// maxQuestions bounds what is read back: beyond it the file was not made here.
const maxQuestions = 64 << 20

// readQuestions reads what was asked when the directory was captured.
func readQuestions(r io.Reader) (*questions, error) {
	q := &questions{}
	if err := json.NewDecoder(io.LimitReader(r, maxQuestions)).Decode(q); err != nil {
		return nil, &holdfast.Error{Op: "read the questions", Err: err}
	}
	if q.Format != questionFormat {
		return nil, &holdfast.Error{Op: "read the questions", Err: fmt.Errorf("format %d is not known", q.Format), Hint: "use the holdfast that made the backup, or a newer one"}
	}
	return q, nil
}
