package cli

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/holdfast-backup/holdfast"
	"github.com/holdfast-backup/holdfast/docs/rescue"
	"github.com/holdfast-backup/holdfast/internal/config"
	"github.com/holdfast-backup/holdfast/internal/wire"
	"github.com/holdfast-backup/holdfast/repo"
)

type rescueCmd struct {
	Script bool `help:"Print the script that restores without holdfast, instead of the card."`
}

func (rescueCmd) about() about {
	return about{
		text: `Prints what one needs to know to restore when this machine, or holdfast, is
gone: where the backups are, what opens them, and each step with the commands
age, zstd and python3. Print it, or keep it where the loss of this machine cannot
take it. There is no secret on the card: keep the private key or the passphrase
apart from it.

The card is printed, with less on it, even if the repository cannot be reached.`,
		examples: []example{
			{"holdfast rescue > card.txt", "to print it"},
			{"holdfast rescue --script > restore.py", "the page of Python that restores"},
		},
	}
}

// rescueObject is the rescue card.
type rescueObject struct {
	Type       string          `json:"type"` // rescue
	MadeAt     holdfast.Time   `json:"made_at"`
	Host       string          `json:"host"`
	Repository string          `json:"repository"`
	Problem    string          `json:"problem,omitempty"` // why the repository could not be read
	ID         string          `json:"id,omitempty"`
	Format     int             `json:"format"`
	Encrypted  bool            `json:"encrypted"`
	Recipients []string        `json:"recipients"` // of new backups, and of those there
	Passphrase bool            `json:"passphrase"` // opens identity.age in the repository
	Backups    int             `json:"backups"`
	Newest     string          `json:"newest,omitempty"`
	Replicas   []rescueReplica `json:"replicas"`
	Sources    []rescueSource  `json:"sources"`
	Steps      []string        `json:"steps"`
}

type rescueReplica struct {
	Name     string `json:"name"`
	Location string `json:"location"`
	// Encryption says what opens its copies, if that is not what opens the
	// repository.
	Encryption string `json:"encryption,omitempty"`
}

// replicaEncryption says in a few words what opens the copies in a replica.
func replicaEncryption(r config.Replica) string {
	switch {
	case r.Decrypt:
		return "none"
	case len(r.Encryption.To) > 0:
		return "age, to " + strings.Join(r.Encryption.To, ", ")
	case r.Encryption.HasPassphrase():
		return "age; a passphrase of its own opens the keys in identity.age there"
	}
	return ""
}

type rescueSource struct {
	Name string        `json:"name"`
	Kind holdfast.Kind `json:"kind"`
	Path string        `json:"path"`
}

// rescueWait is how long the card waits for a repository far away.
const rescueWait = 20 * time.Second

// Run prints the card or the script.
func (c *rescueCmd) Run(ctx context.Context, a *app) error {
	if c.Script {
		a.ui.print("%s", rescue.Script)
		return nil
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	out := rescueObject{
		Type: "rescue", MadeAt: holdfast.At(a.sys.Now()), Host: hostname(), Repository: wire.Location(cfg.Repository),
		Format: holdfast.FormatVersion, Recipients: []string{}, Replicas: []rescueReplica{}, Sources: []rescueSource{},
	}
	for _, r := range cfg.Replicas {
		out.Replicas = append(out.Replicas, rescueReplica{r.Name, wire.Location(r.URL), replicaEncryption(r)})
	}
	for _, s := range cfg.Sources {
		out.Sources = append(out.Sources, rescueSource{s.Name, s.Kind, s.Path})
	}
	if err := out.look(ctx, a, cfg); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		out.Problem = err.Error()
	}
	out.Steps = out.steps(cfg)
	a.ui.tell(out, func() { out.print(a.ui) })
	return nil
}

// look fills in what the repository itself tells. What is configured stands in
// as long as it tells nothing.
func (o *rescueObject) look(ctx context.Context, a *app, cfg *config.Config) error {
	o.Recipients = append(o.Recipients, cfg.Encryption.To...)
	o.Passphrase = len(cfg.Encryption.To) == 0 && cfg.Encryption.HasPassphrase()
	o.Encrypted = o.Passphrase || len(o.Recipients) > 0
	ctx, cancel := context.WithTimeout(ctx, rescueWait)
	defer cancel()
	r, err := a.repository(ctx)
	if err != nil {
		return err
	}
	e := r.Encryption()
	o.ID, o.Encrypted = r.ID(), r.Encrypts()
	o.Recipients = append(o.Recipients, e.Recipients...)
	o.Passphrase = e.Identity != ""
	list, err := r.List(ctx)
	if err != nil {
		return err
	}
	o.Backups, o.Newest = len(list), newestName(list)
	for key := range backupsByKey(list) {
		if key != "" {
			o.Encrypted, o.Recipients = true, append(o.Recipients, key)
		}
	}
	slices.Sort(o.Recipients)
	o.Recipients = slices.Compact(o.Recipients)
	return nil
}

// newestName is the backup that one would restore.
func newestName(list []repo.Info) string {
	for _, i := range list {
		if i.Metadata != nil && i.Metadata.Trigger != holdfast.TriggerEmergency {
			return i.Name.String()
		}
	}
	return ""
}

// steps are the ways back, the shortest first.
func (o *rescueObject) steps(cfg *config.Config) []string {
	place, name := quoteWord(o.Repository), o.Newest
	if name == "" {
		name = "NAME"
	}
	key := ""
	var steps []string
	switch {
	case !o.Encrypted:
	case o.Passphrase:
		key = " -i " + quoteWord(strings.TrimSuffix(o.Repository, "/")+"/identity.age")
		steps = append(steps, "You need the passphrase, and the file identity.age of the repository, or a copy of it. Without both nothing can be read.")
	default:
		key = " -i KEYFILE"
		steps = append(steps, "You need the private key (AGE-SECRET-KEY-…) of one of the recipients above, in a file KEYFILE. Without it nothing can be read.")
	}
	with := "holdfast --repo " + place
	switch {
	case o.Encrypted && o.Passphrase:
		with = "HOLDFAST_PASSPHRASE_FILE=FILE " + with
	case o.Encrypted:
		with = "HOLDFAST_IDENTITY_FILE=KEYFILE " + with
	}
	steps = append(steps, fmt.Sprintf("With holdfast: %s list; %s restore %s --to DIR", with, with, name))
	if config.IsURL(cfg.Repository) {
		place = "COPY"
		if o.Passphrase {
			key = " -i COPY/identity.age"
		}
		steps = append(steps, "Without holdfast, copy the bucket to a disk with any program for object storage: everything below "+o.Repository+" into a folder COPY.")
	}
	steps = append(steps,
		"Without holdfast: install python3, zstd"+map[bool]string{true: " and age", false: ""}[o.Encrypted]+"; get restore.py (`holdfast rescue --script` prints it, docs/rescue/restore.py of the sources is it); check the copy: cd "+place+"/"+name+" && sha256sum -c SHA256SUMS",
		fmt.Sprintf("python3 restore.py%s %s %s DIR", key, place, name),
	)
	if o.Encrypted {
		steps = append(steps, fmt.Sprintf("A single file by hand: age -d%s %s/%s/manifest.json.age tells which stored file (payload) holds it; age -d%s %s/%s/PAYLOAD | zstd -d > FILE, if it ends with .zst.age and its form is full.", key, place, name, key, place, name))
	} else {
		steps = append(steps, fmt.Sprintf("A single file by hand: it lies in %s/%s under its own name; zstd -d opens .zst; manifest.json tells what refers to other backups (form delta).", place, name))
	}
	return append(steps, "Put the restored files in the place of the sources above, with whatever uses them stopped, and without any old -wal, -shm or -journal file beside a database.")
}

// quoteWord makes one word for a shell of a path.
func quoteWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("/._-:", r) && !isWord(r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func isWord(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// print writes the card.
func (o *rescueObject) print(u *ui) {
	u.print("%s\n", u.outPaint.bold("holdfast rescue card"))
	newest := o.Newest
	if o.Backups > 0 {
		newest = fmt.Sprintf("%s (of %s)", o.Newest, plural(o.Backups, "backup", "backups"))
	}
	u.print("%s", facts(
		[2]string{"  made", moment(o.MadeAt.Time) + " on " + o.Host},
		[2]string{"  backups in", o.Repository},
		[2]string{"  problem", o.Problem},
		[2]string{"  repository id", o.ID},
		[2]string{"  format", fmt.Sprintf("%d (repo/FORMAT.md of holdfast)", o.Format)},
		[2]string{"  newest", newest},
		[2]string{"  encryption", o.encryption()},
	))
	for _, to := range o.Recipients {
		u.print("    %s\n", clean(to))
	}
	for _, r := range o.Replicas {
		u.print("  copies in %s (%s)\n", clean(r.Location), clean(r.Name))
		if r.Encryption != "" {
			u.print("    with an encryption of their own: %s\n", clean(r.Encryption))
		}
	}
	for _, s := range o.Sources {
		u.print("  %s: %s at %s\n", clean(s.Name), s.Kind, clean(s.Path))
	}
	u.print("\n%s\n", u.outPaint.bold("To restore"))
	for i, step := range o.Steps {
		u.print("%d. %s\n", i+1, clean(step))
	}
}

// encryption says in a few words what opens the backups.
func (o *rescueObject) encryption() string {
	switch {
	case !o.Encrypted:
		return "none"
	case o.Passphrase:
		return "age; a passphrase opens the keys in identity.age, which open the backups to"
	}
	return "age, to"
}

// hostname names this machine.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "an unknown machine"
	}
	return name
}
