package engine

import "context"

// keptBytes bounds the memory of the rows that wait until all counts are told. Tables with
// more are walked over again.
const keptBytes = 8 << 20

// waiting is what there is to tell of the rows of a pair once all counts are told.
type waiting struct {
	pair
	rows []DiffRow
	// whole tells that rows are all that differ, or as many as may be told.
	whole bool
	more  bool // than may be told
}

// equal tells whether a matched row holds the same in both states.
func (p pair) equal(m matched) (equal, rounded bool) {
	if m.before == nil || m.after == nil {
		return false, false
	}
	return p.sameFields(m.before.Fields, m.after.Fields)
}

// keep keeps a row that differs, if there is room for all of its table.
func (d *differ) keep(w *waiting, m matched) {
	switch {
	case !w.whole:
	case d.req.Limit > 0 && len(w.rows) == d.req.Limit:
		w.more = true
	default:
		row := d.row(w.pair, m)
		w.rows = append(w.rows, row)
		if d.kept += row.weight(); d.kept > keptBytes {
			for _, one := range w.rows {
				d.kept -= one.weight()
			}
			w.rows, w.whole = nil, false
		}
	}
}

// row is what is told of a matched row that differs.
func (d *differ) row(p pair, m matched) DiffRow {
	row := DiffRow{Source: p.source, Table: p.table().Name, Key: m.key(), Change: m.change()}
	if d.req.Values {
		row.Fields = d.fields(p, m)
	}
	return row
}

// weight is about how much memory a row takes.
func (r DiffRow) weight() int64 {
	const empty = 128
	sum := empty + int64(len(r.Key))
	for _, f := range r.Fields {
		sum += empty + int64(len(f.Name))
		if f.Before != nil {
			sum += valueWeight(f.Before.Value)
		}
		if f.After != nil {
			sum += valueWeight(f.After.Value)
		}
	}
	return sum
}

// tell tells the rows of a pair that differ.
func (d *differ) tell(ctx context.Context, w *waiting) error {
	if w.whole {
		d.result.More = d.result.More || w.more
		for i := range w.rows {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err := d.emit(DiffItem{Row: &w.rows[i]}); err != nil {
				return err
			}
		}
		return nil
	}
	told := 0
	err := w.pair.rows(ctx, func(m matched) error {
		if equal, _ := w.equal(m); equal {
			return nil
		}
		if d.req.Limit > 0 && told == d.req.Limit {
			d.result.More = true
			return errEnough
		}
		told++
		row := d.row(w.pair, m)
		return d.emit(DiffItem{Row: &row})
	})
	if err == errEnough {
		return nil
	}
	return err
}
