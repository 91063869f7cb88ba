//go:build !linux

package child

// onlyZombies is not known here.
func (g *group) onlyZombies() bool { return false }
