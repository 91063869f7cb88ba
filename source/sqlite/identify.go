package sqlite

import (
	"bytes"
	"errors"
	"io"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/holdfast-backup/holdfast"
)

// sampleSize is how much of a file is looked at to tell what it is.
const sampleSize = 4096

// foreign are the beginnings of files that are taken for databases by mistake.
var foreign = []struct{ prefix, name string }{
	{"** This file contains an SQLite 2", "a database of SQLite 2, which SQLite 3 cannot read"},
	{"\x37\x7f\x06\x82", "the write-ahead log (-wal) of a database, not the database"},
	{"\x37\x7f\x06\x83", "the write-ahead log (-wal) of a database, not the database"},
	{"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", "the rollback journal of a database, not the database"},
	{"\x1f\x8b", "compressed with gzip"},
	{"\x28\xb5\x2f\xfd", "compressed with zstd"},
	{"\xfd7zXZ\x00", "compressed with xz"},
	{"BZh", "compressed with bzip2"},
	{"PK\x03\x04", "a zip archive (or a document based on one)"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"age-encryption.org/", "encrypted with age"},
	{"%PDF-", "a PDF document"},
	{"\x89PNG", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"\x7fELF", "a program"},
	{"PAR1", "a Parquet file"},
}

// identify tells what a file is that should be a database, from its first
// bytes: nil for a database and for an empty file, which to SQLite is a
// database without tables.
func identify(r io.ReaderAt, size int64) error {
	if size == 0 {
		return nil
	}
	sample := make([]byte, min(sampleSize, size))
	n, err := r.ReadAt(sample, 0)
	if n < len(sample) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	if bytes.HasPrefix(sample, []byte(magic)) {
		if _, err := parseHeader(sample); err != nil {
			return &holdfast.Error{
				Err:  holdfast.Kindf(holdfast.ErrDamaged, "its header is damaged, so SQLite cannot read it"),
				Hint: "restore it from a backup",
			}
		}
		return nil
	}
	return &holdfast.Error{
		Err:  holdfast.Kindf(holdfast.ErrRefused, "it is not a SQLite database: it %s", describe(sample, size)),
		Hint: "check the path; an encrypted database can be backed up as a file of a files source while its application is stopped",
	}
}

// describe says what a file looks like that does not begin as a database.
func describe(sample []byte, size int64) string {
	for _, f := range foreign {
		if bytes.HasPrefix(sample, []byte(f.prefix)) {
			return "is " + f.name
		}
	}
	if len(sample) > 262 && string(sample[257:262]) == "ustar" {
		return "is a tar archive"
	}
	if len(sample) > 12 && string(sample[8:12]) == "DUCK" {
		return "is a DuckDB database"
	}
	if isText(sample) {
		if strings.Contains(string(sample), "BEGIN TRANSACTION;") {
			return "is text, it seems a dump in SQL"
		}
		return "is text"
	}
	if len(bytes.Trim(sample, "\x00")) == 0 {
		return "begins with zeros, as a file does that was never written"
	}
	if entropy(sample) > randomEntropy(len(sample)) {
		if size%512 == 0 {
			return "is encrypted, it seems by SQLCipher or the like: its bytes look random"
		}
		return "is encrypted or compressed: its bytes look random"
	}
	return "begins with none of the marks of a database"
}

func isText(sample []byte) bool {
	// The end of the sample may cut a character.
	for cut := 0; cut < utf8.UTFMax && !utf8.Valid(sample) && len(sample) > 0; cut++ {
		sample = sample[:len(sample)-1]
	}
	if !utf8.Valid(sample) {
		return false
	}
	return !strings.ContainsFunc(string(sample), func(r rune) bool {
		return unicode.IsControl(r) && !unicode.IsSpace(r)
	})
}

// entropy is the number of bits of information in a byte of the sample.
func entropy(sample []byte) float64 {
	var counts [256]float64
	for _, b := range sample {
		counts[b]++
	}
	bits := 0.0
	for _, c := range counts {
		if c > 0 {
			p := c / float64(len(sample))
			bits -= p * math.Log2(p)
		}
	}
	return bits
}

// randomEntropy is a little less than the entropy of n random bytes, which
// falls short of 8 bits by 255/(2n ln 2) for large n.
func randomEntropy(n int) float64 {
	if n < 1024 {
		return 8 // too few to tell
	}
	return 8 - 255/(2*float64(n)*math.Ln2) - 0.1
}
