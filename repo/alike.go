package repo

// Alike tells whether a source is Unchanged and its entries have the modes and
// times, too, that they have in the base.
func (p *Pending) Alike(source string) bool {
	if !p.Unchanged(source) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for path, e := range p.entries {
		if e.source != source {
			continue
		}
		if f := p.base.files[path]; f.Mode != e.Mode || f.ModTime != e.ModTime {
			return false
		}
	}
	return true
}
