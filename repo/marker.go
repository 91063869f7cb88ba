package repo

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/holdfast-backup/holdfast"
)

// A marker is backup_metadata.json: the metadata, what ties it to the
// manifest, and its seal.
type marker struct {
	*holdfast.Metadata
	// Compaction counts how often the backup was compacted. Each time the
	// manifest gets a name of its own, so that one Put of the marker leads
	// from the old state to the new.
	Compaction     int    `json:"compaction,omitempty"`
	ManifestSHA256 string `json:"manifest_sha256"`
	// OriginSHA256 is that of the manifest which this is a copy of, if the copy
	// is encrypted otherwise: see origin.
	OriginSHA256 string `json:"origin_sha256,omitempty"`
	// Of an encrypted backup: what ties the private metadata to it, and
	// SHA256SUMS without the line of the marker, so that stored bytes can be
	// checked without a key.
	PrivateSHA256 string `json:"private_metadata_sha256,omitempty"`
	SumsSHA256    string `json:"sums_sha256,omitempty"`
	Checksum      string `json:"checksum"`
}

// origin tells by what others refer to the payloads: backups of the same origin
// have the same ones, but for their encryption.
func (m *marker) origin() string { return cmp.Or(m.OriginSHA256, m.ManifestSHA256) }

// manifestKey is where the manifest lies in the backup.
func (m *marker) manifestKey() string { return manifestKey(m.Compaction, m.Encrypted) }

// manifestKey is where the manifest of a backup lies after n compactions.
func manifestKey(n int, encrypted bool) string {
	key := holdfast.ManifestFile
	if n > 0 {
		key = strings.TrimSuffix(key, ".json") + generation(n) + ".json"
	}
	if encrypted {
		key += sealedExt
	}
	return key
}

// privateKey is where the private metadata of an encrypted backup lies.
func (m *marker) privateKey() string { return privateKey(m.Compaction) }

func privateKey(n int) string {
	if n == 0 {
		return privateFile
	}
	return strings.TrimSuffix(privateFile, ".json"+sealedExt) + generation(n) + ".json" + sealedExt
}

// maxSmall bounds the JSON files that are read whole.
const maxSmall = 64 << 20

// parseMarker reads the commit marker of the backup in folder name.
func parseMarker(data []byte, name holdfast.BackupName) (*marker, error) {
	m := &marker{Metadata: new(holdfast.Metadata)}
	if err := unseal(data, m); err != nil {
		return nil, err
	}
	if m.Compaction < 0 {
		return nil, &damage{"", errors.New("it counts less than no compaction")}
	}
	if m.BackupName != name {
		return nil, &holdfast.Error{
			Err:  &damage{"", fmt.Errorf("it belongs to the backup %s", m.BackupName)},
			Hint: fmt.Sprintf("give the folder its own name, %s, again", m.BackupName),
		}
	}
	return m, nil
}
