package inside

// SortIn makes sorting use runs of so many bytes, and gives what undoes it.
func SortIn(bytes int) func() {
	before := runBytes
	runBytes = bytes
	return func() { runBytes = before }
}
