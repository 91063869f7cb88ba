package screen

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
)

// Prefix begins what every button of the panel calls back, so that a bot can tell them
// from its own.
const Prefix = "hf:"

// A Verb is what a button asks for.
type Verb string

// The verbs.
const (
	DoAdmin    Verb = "adm"
	DoSystem   Verb = "sys"
	DoHelp     Verb = "hlp"
	DoLanguage Verb = "lng" // Arg: the one that was chosen; empty: ask
	DoOverview Verb = "bak"
	DoCreate   Verb = "new"
	DoQuick    Verb = "qck"
	DoEnhanced Verb = "enh" // without a name
	DoName     Verb = "nam" // ask for a name
	DoList     Verb = "lst"
	DoDetails  Verb = "dtl"
	DoVerify   Verb = "vfy"
	DoRestore  Verb = "rst" // ask
	RestoreNow Verb = "rst1"
	DoRollback Verb = "rbk" // ask
	RollNow    Verb = "rbk1"
	DoRecover  Verb = "rcv" // ask
	RecoverNow Verb = "rcv1"
	DoSend     Verb = "snd" // ask
	SendSealed Verb = "snd1"
	AskClear   Verb = "clr" // ask again
	SendClear  Verb = "clr1"
	StopSend   Verb = "snd0"
	DoHold     Verb = "hld"
	DoWork     Verb = "job" // Arg: the job
	StopWork   Verb = "job0"
)

// Anew is the argument of an action that leaves the message with its button as it is, and
// is drawn in a new one: what has happened is to be read later, too.
const Anew = "new"

// Verbs are all of them.
func Verbs() []Verb {
	return []Verb{
		DoAdmin, DoSystem, DoHelp, DoLanguage, DoOverview, DoCreate, DoQuick, DoEnhanced, DoName, DoList, DoDetails, DoVerify, DoRestore, RestoreNow,
		DoRollback, RollNow, DoRecover, RecoverNow, DoSend, SendSealed, AskClear, SendClear, StopSend, DoHold, DoWork, StopWork,
	}
}

// An Action is what a button says: all that is needed to act on it.
type Action struct {
	Verb   Verb
	Backup string    // digest of a backup's name
	Page   int       // of the list that leads there
	At     time.Time // when the screen was drawn, to the second
	Seal   string    // digest of what a confirmation has named
	Count  int64     // of the records that a confirmation has named
	Arg    string
}

// actionFields is how many fields come behind the verb.
const actionFields = 6

// String gives what is called back.
func (a Action) String() string {
	number := func(n int64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatInt(n, 36)
	}
	at := ""
	if !a.At.IsZero() {
		at = number(a.At.Unix())
	}
	fields := []string{string(a.Verb), a.Backup, number(int64(a.Page)), at, a.Seal, number(a.Count), a.Arg}
	return Prefix + strings.TrimRight(strings.Join(fields, ":"), ":")
}

// ParseAction reads what was called back; false for what no button of the panel says.
func ParseAction(data string) (Action, bool) {
	rest, ok := strings.CutPrefix(data, Prefix)
	if !ok || len(data) > mostData {
		return Action{}, false
	}
	fields := strings.Split(rest, ":")
	if len(fields) > 1+actionFields {
		return Action{}, false
	}
	fields = append(fields, make([]string, 1+actionFields-len(fields))...)
	number := func(text string) int64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 36, 64)
		ok = ok && err == nil && n >= 0
		return n
	}
	page := number(fields[2])
	a := Action{Verb: Verb(fields[0]), Backup: fields[1], Page: int(page), Seal: fields[4], Count: number(fields[5]), Arg: fields[6]}
	if at := number(fields[3]); at != 0 {
		a.At = time.Unix(at, 0).UTC()
	}
	return a, ok && a.Verb != "" && page <= mostPages
}

const (
	// mostData is what Telegram calls back at most.
	mostData = 64
	// mostPages is more than any list has.
	mostPages = 1 << 20
)

// Digest stands for a text in an action: 11 letters.
func Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

// of is an action upon a backup, from a page of the list.
func of(v Verb, name holdfast.BackupName, page int) Action {
	return Action{Verb: v, Backup: Digest(string(name)), Page: page}
}
