// Package rescue holds the script that restores a backup without holdfast. It
// is in the program, too, so that it can be printed beside the rescue card.
package rescue

import _ "embed"

// Script is restore.py: Python with its standard library, and the commands age
// and zstd.
//
//go:embed restore.py
var Script string
