package repo

import (
	"fmt"

	"github.com/holdfast-backup/holdfast"
)

// A marker is backup_metadata.json: the metadata, what ties it to the
// manifest, and its seal.
type marker struct {
	*holdfast.Metadata
	ManifestSHA256 string `json:"manifest_sha256"`
	Checksum       string `json:"checksum"`
}

// maxSmall bounds the JSON files that are read whole.
const maxSmall = 64 << 20

// parseMarker reads the commit marker of the backup in folder name.
func parseMarker(data []byte, name holdfast.BackupName) (*marker, error) {
	m := &marker{Metadata: new(holdfast.Metadata)}
	if err := unseal(data, m); err != nil {
		return nil, err
	}
	if m.BackupName != name {
		return nil, &holdfast.Error{
			Err:  &damage{"", fmt.Errorf("it belongs to the backup %s", m.BackupName)},
			Hint: fmt.Sprintf("give the folder its own name, %s, again", m.BackupName),
		}
	}
	return m, nil
}
