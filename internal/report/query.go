package report

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// The orders of a list.
const (
	SortNewest = "newest"
	SortOldest = "oldest"
	SortName   = "name"
	SortSize   = "size" // the largest first, by what a backup holds
)

// The number of backups on a page.
const (
	DefaultLimit = 50
	MaxLimit     = 1000
)

// A Query asks for a page of those backups that it describes. The zero Query asks
// for the newest.
type Query struct {
	// Text holds words that must all be in the name or the note.
	Text    string
	Type    holdfast.Type
	Trigger holdfast.Trigger
	Source  string // the name of a source that is in it
	// Proven and Drilled ask for a good proof of any kind, and for a drill that
	// passed; Problems for backups of which something bad is to be told.
	Proven, Drilled, Pinned, Problems *bool
	// Since and Until bound when it was made: from Since on, before Until.
	Since, Until time.Time

	Sort  string // SortNewest unless set
	Limit int    // DefaultLimit unless set, at most MaxLimit
	// After is the cursor that came with the page before.
	After string
}

// A Part is one page of a list.
type Part struct {
	Backups []Backup
	// Next is the cursor of the page behind it, empty if there is none. Before tells
	// whether there is one before it, and Prev is its cursor, which is empty for the
	// first one.
	Next, Prev string
	Before     bool
	From       int // how many match before it
	Total      int // how many match in all
}

// Page gives the next backups of all that match, a cursor for those that follow
// (empty if none do), and how many match in all. A cursor stands behind the last
// backup of its page, and not at a number: backups that come and go between two
// pages neither repeat nor hide others.
func (q Query) Page(all []Backup) (page []Backup, next string, total int, err error) {
	part, err := q.Part(all)
	return part.Backups, part.Next, part.Total, err
}

// Part is Page with the way back.
func (q Query) Part(all []Backup) (Part, error) {
	compare, err := q.order()
	if err != nil {
		return Part{}, err
	}
	after, err := q.cursor()
	if err != nil {
		return Part{}, err
	}
	words := strings.Fields(strings.ToLower(q.Text))
	var found []*Backup
	for i := range all {
		if q.matches(&all[i], words) {
			found = append(found, &all[i])
		}
	}
	slices.SortFunc(found, func(a, b *Backup) int { return compare(placeOf(a), placeOf(b)) })
	out := Part{Total: len(found)}
	if after != nil {
		at := slices.IndexFunc(found, func(b *Backup) bool { return compare(placeOf(b), *after) > 0 })
		if at < 0 {
			at = len(found)
		}
		out.From, out.Before = at, at > 0
	}
	limit := min(cmp.Or(q.Limit, DefaultLimit), MaxLimit)
	if out.From > limit {
		if out.Prev, err = q.cursorAfter(found[out.From-limit-1]); err != nil {
			return Part{}, err
		}
	}
	rest := found[out.From:]
	out.Backups = make([]Backup, 0, min(limit, len(rest)))
	for _, b := range rest[:cap(out.Backups)] {
		out.Backups = append(out.Backups, *b)
	}
	if n := len(out.Backups); n < len(rest) {
		out.Next, err = q.cursorAfter(rest[n-1])
	}
	return out, err
}

// matches tells whether the query asks for a backup.
func (q Query) matches(b *Backup, words []string) bool {
	is := func(want *bool, fact bool) bool { return want == nil || *want == fact }
	switch {
	case q.Type != "" && b.Kind != q.Type,
		q.Trigger != "" && b.Trigger != q.Trigger,
		!is(q.Proven, b.Proven != nil),
		!is(q.Drilled, b.Drilled != nil && b.Drilled.OK),
		!is(q.Pinned, b.Pinned),
		!is(q.Problems, len(b.Problems) > 0 || b.Error != ""),
		!q.Since.IsZero() && (b.CreatedAt == nil || b.CreatedAt.Before(q.Since)),
		!q.Until.IsZero() && (b.CreatedAt == nil || !b.CreatedAt.Before(q.Until)),
		q.Source != "" && !slices.ContainsFunc(b.Sources, func(s BackupSource) bool { return s.Name == q.Source }):
		return false
	}
	if len(words) == 0 {
		return true
	}
	text := strings.ToLower(b.Name.String() + "\n" + b.Note)
	return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(text, word) })
}

// A place is where a backup stands in any order: what never changes of it.
type place struct {
	Sort string              `json:"s"`
	Made int64               `json:"m,omitempty"` // milliseconds; zero: nobody knows
	Size int64               `json:"b,omitempty"`
	Name holdfast.BackupName `json:"n"`
}

func placeOf(b *Backup) place {
	p := place{Size: b.LogicalBytes, Name: b.Name}
	if b.CreatedAt != nil {
		p.Made = b.CreatedAt.UnixMilli()
	}
	return p
}

// order is how places follow each other. Names make it total; what was made
// nobody knows when comes last.
func (q Query) order() (func(a, b place) int, error) {
	newest := func(a, b place) int { return cmp.Or(cmp.Compare(b.Made, a.Made), cmp.Compare(b.Name, a.Name)) }
	switch q.sort() {
	case SortNewest:
		return newest, nil
	case SortOldest:
		return func(a, b place) int {
			if (a.Made == 0) != (b.Made == 0) {
				return newest(a, b)
			}
			return newest(b, a)
		}, nil
	case SortName:
		return func(a, b place) int { return cmp.Compare(a.Name, b.Name) }, nil
	case SortSize:
		return func(a, b place) int { return cmp.Or(cmp.Compare(b.Size, a.Size), newest(a, b)) }, nil
	}
	return nil, &holdfast.Error{
		Op: "list backups", Object: "sort " + q.Sort, Err: holdfast.Kindf(holdfast.ErrUsage, "there is no such order"),
		Hint: "there are: " + strings.Join([]string{SortNewest, SortOldest, SortName, SortSize}, ", "),
	}
}

func (q Query) sort() string { return cmp.Or(q.Sort, SortNewest) }

// cursor reads the place behind which the page begins; nil: at the beginning.
func (q Query) cursor() (*place, error) {
	if q.Limit < 0 {
		return nil, &holdfast.Error{Op: "list backups", Object: "limit", Err: holdfast.Kindf(holdfast.ErrUsage, "it is below zero")}
	}
	if q.After == "" {
		return nil, nil
	}
	var p place
	data, err := base64.RawURLEncoding.DecodeString(q.After)
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil || p.Sort != q.sort() {
		return nil, &holdfast.Error{
			Op: "list backups", Object: "cursor", Err: holdfast.Kindf(holdfast.ErrUsage, "it is none of a list in this order"),
			Hint: "take what came with the page before, with the same order, or begin without one",
		}
	}
	return &p, nil
}

func (q Query) cursorAfter(b *Backup) (string, error) {
	p := placeOf(b)
	p.Sort = q.sort()
	data, err := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(data), err
}
