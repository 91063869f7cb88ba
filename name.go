package holdfast

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A BackupName names a backup and its folder. Names take Unicode letters,
// digits, marks and ._-; make one with ParseBackupName or AutomaticName.
type BackupName string

// maxName keeps name plus a temporary suffix within the 255 bytes that file
// systems allow.
const maxName = 180

// besideBackups are the files of a repository that lie where its backups do.
var besideBackups = []string{"repository.json", "identity.age"}

// ParseBackupName accepts a name that is safe as a folder on every system, or
// says what is wrong with it.
func ParseBackupName(s string) (BackupName, error) {
	err := checkName(s)
	if s == "live" {
		err = &NameError{NameTaken, s, fmt.Sprintf("%q stands for the present state", s)}
	}
	if err == nil && slices.Contains(besideBackups, strings.ToLower(s)) {
		err = &NameError{NameTaken, s, fmt.Sprintf("%q is a file of the repository itself", s)}
	}
	if err != nil {
		return "", &Error{Op: "name", Object: fmt.Sprintf("%q", s), Err: Kindf(ErrUsage, "%w", err), Hint: "letters and digits of any script and . _ - are allowed"}
	}
	return BackupName(s), nil
}

// String returns the name.
func (n BackupName) String() string { return string(n) }

// ParseSourceName accepts a name for a source; the rules are those of backup
// names, and the fixed names inside a backup are taken.
func ParseSourceName(s string) (string, error) {
	err := checkName(s)
	if err == nil {
		switch s {
		case MetadataFile, ManifestFile, SumsFile, MemoryInfoFile, MemoryDir, QuestionsDir, "memory":
			err = fmt.Errorf("%q is a fixed name inside a backup", s)
		}
	}
	if err != nil {
		return "", &Error{Op: "source name", Object: fmt.Sprintf("%q", s), Err: Kindf(ErrUsage, "%w", err), Hint: "letters and digits of any script and . _ - are allowed"}
	}
	return s, nil
}

// A NameFault is what is wrong with a name.
type NameFault string

// What can be wrong with a name.
const (
	NameEmpty    NameFault = "empty"
	NameEncoding NameFault = "encoding" // no UTF-8
	NameLong     NameFault = "long"
	NameBegins   NameFault = "begins" // with a dot, a dash or a combining mark
	NameEnds     NameFault = "ends"   // with a dot
	NameTaken    NameFault = "taken"  // it means something else
	NameSpace    NameFault = "space"  // one is in it, which nobody would see if it were named
	NameLetter   NameFault = "letter" // not one of those that are allowed
)

// A NameError tells what is wrong with a name, for whoever says it in other words.
type NameError struct {
	Fault  NameFault
	Object string // the letter or word that is the cause
	text   string
}

// Error tells it in English.
func (e *NameError) Error() string { return e.text }

func checkName(s string) error {
	switch {
	case s == "":
		return &NameError{NameEmpty, "", "a name cannot be empty"}
	case !utf8.ValidString(s):
		return &NameError{NameEncoding, "", "a name must be valid UTF-8"}
	case len(s) > maxName:
		return &NameError{NameLong, "", fmt.Sprintf("a name can have at most %d bytes, this one has %d", maxName, len(s))}
	case strings.HasPrefix(s, "."):
		return &NameError{NameBegins, ".", "a name cannot start with a dot"}
	case strings.HasPrefix(s, "-"):
		return &NameError{NameBegins, "-", "a name cannot start with a dash"}
	case strings.HasSuffix(s, "."):
		return &NameError{NameEnds, ".", "a name cannot end with a dot"}
	case s == "latest":
		return &NameError{NameTaken, s, fmt.Sprintf("%q stands for the newest backup", s)}
	}
	first, _ := utf8.DecodeRuneInString(s)
	if unicode.IsMark(first) {
		return &NameError{NameBegins, string(first), "a name cannot start with a combining mark"}
	}
	base, _, _ := strings.Cut(strings.ToUpper(s), ".")
	if reserved[base] {
		return &NameError{NameTaken, base, base + " is a device name on Windows"}
	}
	for i, r := range s {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r), strings.ContainsRune("._-", r):
		case r == '\u200c' && i > 0: // zero-width non-joiner, part of Persian words
		case unicode.IsSpace(r):
			return &NameError{NameSpace, "", fmt.Sprintf("%q is not allowed in a name", r)}
		default:
			return &NameError{NameLetter, string(r), fmt.Sprintf("%q is not allowed in a name", r)}
		}
	}
	return nil
}

var reserved = func() map[string]bool {
	m := map[string]bool{"CON": true, "PRN": true, "AUX": true, "NUL": true}
	for _, p := range []string{"COM", "LPT"} {
		for d := '1'; d <= '9'; d++ {
			m[p+string(d)] = true
		}
	}
	return m
}()

// DefaultEmergencyPrefix is the manual's EMERGENCY_BACKUP_PREFIX.
const DefaultEmergencyPrefix = "emergency_restore"

// AutomaticName gives the name of a backup that was not named by a person:
// what it is, and the moment in UTC. emergencyPrefix may be empty.
func AutomaticName(trigger Trigger, typ Type, at time.Time, emergencyPrefix string) BackupName {
	var prefix string
	switch trigger {
	case TriggerManual, "":
		prefix = string(typ) + "_backup"
	case TriggerEmergency:
		prefix = emergencyPrefix
		if prefix == "" {
			prefix = DefaultEmergencyPrefix
		}
	default:
		prefix = string(trigger) + "_backup"
	}
	return BackupName(prefix + "_" + at.UTC().Format(nameTime))
}

// AutomaticTime gives the moment in a name that AutomaticName made, suffixed or
// not; false for every other name. An emergency prefix that somebody chose is not
// known here, so such a name is another one.
func (n BackupName) AutomaticTime() (time.Time, bool) {
	m := automaticName.FindStringSubmatch(string(n))
	if m == nil {
		return time.Time{}, false
	}
	at, err := time.ParseInLocation(nameTime, m[1], time.UTC)
	return at, err == nil
}

// nameTime is how automatic names write the moment.
const nameTime = "20060102_150405"

// automaticName matches what AutomaticName makes.
var automaticName = regexp.MustCompile(`^(?:[a-z]+_backup|` + DefaultEmergencyPrefix + `)_([0-9]{8}_[0-9]{6})(?:_[0-9]+)?$`)

// Suffixed gives the name for the n-th backup (from 2) that asked for the
// same name in one second.
func (n BackupName) Suffixed(i int) BackupName {
	return BackupName(fmt.Sprintf("%s_%d", n, i))
}
