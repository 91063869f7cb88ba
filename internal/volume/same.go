package volume

// Same tells whether two paths lie on one device; known is false where the
// system does not tell. A path that does not exist yet is answered for by the
// nearest directory above it.
func Same(a, b string) (same, known bool) {
	first, ok := deviceOf(a)
	if !ok {
		return false, false
	}
	second, ok := deviceOf(b)
	return ok && first == second, ok
}

func deviceOf(path string) (uint64, bool) {
	near, err := Nearest(path)
	if err != nil {
		return 0, false
	}
	return device(near)
}
