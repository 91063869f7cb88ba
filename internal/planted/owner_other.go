//go:build !unix

package planted

import "io/fs"

// NoFollow has no meaning here.
const NoFollow = 0

const noWait = 0

// foreigner tells nothing here: files have no single owner.
func foreigner(fs.FileInfo, fs.FileInfo) (owner uint32, foreign bool) { return 0, false }
