package repo

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/holdfast-backup/holdfast"
)

// A manifest lists every entry of a backup by path.
type manifest struct {
	Format int
	Backup holdfast.BackupName
	// Encryption is "age" if the payloads, and the manifest itself, are age
	// files.
	Encryption string
	Refs       []reference
	Entries    []*entry
	sha256     string // of the whole file, as it is stored
	fileBytes  int64

	privateSHA256 string // of the private metadata beside it
	compaction    int    // as in the marker
}

// A reference names a file of another backup whose payload holds blocks of
// files here.
type reference struct {
	Backup holdfast.BackupName `json:"backup"`
	Path   string              `json:"path"`
}

// write encodes m, one entry a line, and notes size and hash.
func (m *manifest) write(w io.Writer) error {
	whole, sealed := sha256.New(), sha256.New()
	count := &countingWriter{}
	out := bufio.NewWriterSize(io.MultiWriter(w, whole, sealed, count), 64<<10)
	name, err := jsonLine(m.Backup)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "{\n\"format\": %d,\n\"backup\": %s,\n\"block_size\": %d,\n\"frame_size\": %d,\n", m.Format, name, blockSize, frameSize)
	if m.Encryption != "" {
		fmt.Fprintf(out, "\"encryption\": %q,\n", m.Encryption)
	}
	out.WriteString("\"refs\": [")
	if err := writeLines(out, m.Refs); err != nil {
		return err
	}
	out.WriteString("],\n\"entries\": [")
	if err := writeLines(out, m.Entries); err != nil {
		return err
	}
	out.WriteString("],\n\"checksum\": \"")
	if err := out.Flush(); err != nil {
		return err
	}
	end := sealEnd(sealed)
	if _, err := io.MultiWriter(w, whole, count).Write(end); err != nil {
		return err
	}
	m.sha256, m.fileBytes = hex.EncodeToString(whole.Sum(nil)), count.n
	return nil
}

func writeLines[T any](out *bufio.Writer, list []T) error {
	for i, v := range list {
		b, err := jsonLine(v)
		if err != nil {
			return err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteByte('\n')
		out.Write(b)
	}
	if len(list) > 0 {
		out.WriteByte('\n')
	}
	return nil // a write error is kept until Flush
}

// jsonLine encodes v on one line without escaping what only HTML needs.
func jsonLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

type countingWriter struct{ n int64 }

func (c *countingWriter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// readManifest reads and checks a manifest of size bytes, entry by entry. Any
// byte that was changed is found by the checksum at its end.
func readManifest(r io.ReaderAt, size int64) (*manifest, error) {
	if size < int64(sealSize) {
		return nil, errSeal
	}
	sealed := sha256.New()
	tail := make([]byte, sealSize)
	if err := readFull(r, tail, size-int64(sealSize)); err != nil {
		return nil, err
	}
	body := io.TeeReader(io.NewSectionReader(r, 0, size-int64(sealSize)), sealed)
	in := bufio.NewReaderSize(io.MultiReader(body, bytes.NewReader(tail)), 64<<10)

	m := &manifest{fileBytes: size}
	parseErr := m.parse(json.NewDecoder(in))
	// The checksum comes first: a parse error in damaged bytes says nothing.
	if _, err := io.Copy(io.Discard, in); err != nil {
		return nil, err
	}
	if !bytes.Equal(sealEnd(sealed), tail) {
		return nil, errSeal
	}
	sealed.Write(tail) // now the hash of the whole file
	m.sha256 = hex.EncodeToString(sealed.Sum(nil))
	if m.Format > holdfast.FormatVersion {
		return nil, newerFormat(m.Format)
	}
	if parseErr != nil {
		return nil, parseErr
	}
	return m, nil
}

// parse reads the fields in any order, save that encryption and refs come
// before entries.
// Unknown fields are ignored.
func (m *manifest) parse(d *json.Decoder) error {
	if err := expect(d, json.Delim('{')); err != nil {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		if err := m.parseField(d, key); err != nil {
			return err
		}
	}
	if err := expect(d, json.Delim('}')); err != nil {
		return err
	}
	if m.Format < 1 {
		return fmt.Errorf("format %d", m.Format)
	}
	return nil
}

func (m *manifest) parseField(d *json.Decoder, key json.Token) error {
	switch key {
	case "format":
		if err := d.Decode(&m.Format); err != nil {
			return err
		}
		if m.Format > holdfast.FormatVersion {
			return newerFormat(m.Format)
		}
		return nil
	case "backup":
		return d.Decode(&m.Backup)
	case "block_size":
		return decodeFixed(d, "block_size", blockSize)
	case "frame_size":
		return decodeFixed(d, "frame_size", frameSize)
	case "encryption":
		if err := d.Decode(&m.Encryption); err != nil {
			return err
		}
		if m.Encryption != encryptionAge {
			return fmt.Errorf("unknown encryption %q", m.Encryption)
		}
		if m.Entries != nil {
			return errors.New("encryption after the entries")
		}
		return nil
	case "refs":
		if err := d.Decode(&m.Refs); err != nil {
			return err
		}
		for _, ref := range m.Refs {
			if _, err := holdfast.ParseBackupName(string(ref.Backup)); err != nil {
				return err
			}
		}
		return nil
	case "entries":
		return m.parseEntries(d)
	}
	var ignored json.RawMessage
	return d.Decode(&ignored)
}

func (m *manifest) parseEntries(d *json.Decoder) error {
	if err := expect(d, json.Delim('[')); err != nil {
		return err
	}
	payloads := map[string]bool{}
	for d.More() {
		e := new(entry)
		if err := d.Decode(e); err != nil {
			return err
		}
		if err := e.decode(len(m.Refs), m.Encryption != ""); err != nil {
			return err
		}
		if e.Payload != "" {
			if payloads[e.Payload] {
				return fmt.Errorf("payload %s belongs to two files", e.Payload)
			}
			payloads[e.Payload] = true
		}
		m.Entries = append(m.Entries, e)
	}
	return expect(d, json.Delim(']'))
}

func expect(d *json.Decoder, want json.Delim) error {
	got, err := d.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v where %v belongs", got, want)
	}
	return nil
}

func decodeFixed(d *json.Decoder, name string, want int64) error {
	var got int64
	if err := d.Decode(&got); err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%s is %d, format 1 has %d", name, got, want)
	}
	return nil
}

// newerFormat refuses what a newer holdfast wrote.
func newerFormat(format int) error {
	return &holdfast.Error{
		Err:  holdfast.Kindf(holdfast.ErrRefused, "format %d is newer than this holdfast reads (%d)", format, holdfast.FormatVersion),
		Hint: "use the holdfast that wrote it, or a newer one",
	}
}
