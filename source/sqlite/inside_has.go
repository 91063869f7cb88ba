package sqlite

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"

	"github.com/holdfast-backup/holdfast/internal/needle"
	"github.com/holdfast-backup/holdfast/source/sqlite/internal/schema"
)

// hasFunc is the SQL function that tells whether one of some values has the text of a
// search: its first argument is the number of the search, its second whether the values are
// the first of a row. It sees the values where SQLite has them, so that nothing is copied of
// rows without the text, and the processor looks for a letter where LIKE looks at each.
const hasFunc = "holdfast_has"

const (
	// searchBeat is after how many rows a search tells how far it is.
	searchBeat = 4096
	// hasValues is how many values one call sees: a function of SQLite has no more than
	// 127 arguments.
	hasValues = 100
)

// A search is one that is looking through a table.
type search struct {
	needle  *needle.Needle
	numbers bool // are searched, too
	done    int64
	tell    func()
}

// searches are those that run, by their numbers.
var (
	searches   sync.Map // int64 → *search
	lastSearch atomic.Int64
)

// begin makes the search known to SQLite until it has ended.
func (s *search) begin() (number int64, end func()) {
	number = lastSearch.Add(1)
	searches.Store(number, s)
	return number, func() { searches.Delete(number) }
}

// hasText is hasFunc. The values are SQLite's memory and valid only during the call.
func hasText(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	if len(args) < 2 {
		return nil, errors.New("no search is named")
	}
	number, _ := args[0].(int64)
	found, ok := searches.Load(number)
	if !ok {
		return nil, errors.New("no search waits for this row")
	}
	s := found.(*search)
	if first, _ := args[1].(int64); first == 1 {
		if s.done++; s.done%searchBeat == 0 {
			s.tell()
		}
	}
	for _, v := range args[2:] {
		if at, _ := s.needle.Find(searchable(v)); at >= 0 {
			return int64(1), nil
		}
	}
	return int64(0), nil
}

// query gives the rows with the text, of whose fields those that are not searched are NULL.
func (s *search) query(t *schema.Table, number int64) string {
	fields := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		name, more := schema.Quote(c.Name), ""
		if s.numbers {
			more = fmt.Sprintf(" WHEN 'integer' THEN +%[1]s WHEN 'real' THEN +%[1]s", name)
		}
		fields[i] = fmt.Sprintf("CASE typeof(%[1]s) WHEN 'text' THEN +%[1]s%[2]s END", name, more)
	}
	var conditions []string
	first := 1
	for some := range slices.Chunk(fields, hasValues) {
		conditions = append(conditions, hasFunc+"("+strconv.FormatInt(number, 10)+", "+strconv.Itoa(first)+", "+strings.Join(some, ", ")+")")
		first = 0
	}
	return selection(t, nil, 0) + ", " + strings.Join(fields, ", ") + t.Natural().Those(strings.Join(conditions, " OR "))
}
