package locale

// List puts names in a row: a, b and c. Each is isolated.
func (l *Locale) List(names []string) string {
	if len(names) == 0 {
		return ""
	}
	last := len(names) - 1
	row := isolate(names[0])
	for i, name := range names[1:] {
		id := "list.more"
		if i+1 == last {
			id = "list.two"
		}
		row = l.T(id, "a", Said(row), "b", name)
	}
	return row
}
