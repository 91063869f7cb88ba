package config

import (
	"cmp"
	"errors"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/holdfast-backup/holdfast"
)

// replicasKey is the key of the list of replicas, replicasEnv takes the same
// list, as YAML.
const (
	replicasKey = "replicas"
	replicasEnv = envPrefix + "REPLICAS"
)

// A Replica is a further repository that holds copies of the backups.
type Replica struct {
	Name string
	URL  string // a directory, or s3://…
	// Retention is its own; nil is that of the repository.
	Retention *Retention
	// Encryption is its own, see OwnKeys.
	Encryption Encryption
	// Decrypt tells that its copies lie in the open, whatever the repository's
	// encryption.
	Decrypt bool
	Origin  Origin
}

// OwnForm tells whether its copies are encrypted otherwise than the repository.
func (r Replica) OwnForm() bool {
	return len(r.Encryption.To) > 0 || r.Encryption.HasPassphrase() || r.Decrypt
}

// OwnKeys tells whether its copies are opened with keys of its own only. Where
// nothing is said of keys, and nothing that needs other ones, they are opened as
// the repository is.
func (r Replica) OwnKeys() bool {
	return len(r.Encryption.To) > 0 || r.Encryption.HasPassphrase() || r.Encryption.IdentityFile != ""
}

// allReplicas stands for every replica where one is named.
const allReplicas = "all"

// The keys of one replica.
const (
	keyURL       = "url"
	keyName      = "name"
	keyRetention = "retention"
	keyDecrypt   = "decrypt"
)

var replicaKeys = []string{keyURL, keyName, keyRetention, keyEncryptTo, keyIdentityFile, keyPassphraseFile, keyPassphraseCommand, keyDecrypt}

// replicas reads the list of replicas. Each is a place, or a map.
func (w *walker) replicas(n ast.Node) {
	w.layer.replicas = []Replica{}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		w.layer.fault(w.at(n), "replicas: [{url: /mnt/nas/backups}]", "%s must be a list", replicasKey)
		return
	}
	for _, item := range list.Values {
		r := Replica{Origin: w.origin(item)}
		switch item.(type) {
		case *ast.MappingNode, *ast.MappingValueNode:
			w.replica(item, &r)
		default:
			r.URL, _ = w.scalar(item, replicasKey)
		}
		w.layer.replicas = append(w.layer.replicas, r)
	}
}

// replica reads one entry of the list.
func (w *walker) replica(n ast.Node, r *Replica) {
	for _, e := range w.entries(n, replicasKey) {
		full := join(replicasKey, keyText(e.Key))
		switch keyText(e.Key) {
		case keyURL:
			r.URL, _ = w.scalar(e.Value, full)
		case keyName:
			r.Name, _ = w.scalar(e.Value, full)
		case keyRetention:
			r.Retention = w.retention(e.Value, full)
		case keyEncryptTo, keyIdentityFile, keyPassphraseFile, keyPassphraseCommand, keyDecrypt:
			w.replicaEncryption(e, full, r)
		default:
			w.unknown(e.Key, full, prefixed(replicasKey, replicaKeys))
		}
	}
}

// retention reads the rules of a replica; what is not set is as it is in a
// configuration without rules.
func (w *walker) retention(n ast.Node, prefix string) *Retention {
	var c Config
	keys := map[string]Key{}
	var names []string
	for _, k := range retentionKeys() {
		name := strings.TrimPrefix(k.Name, keyRetention+".")
		keys[name], names = k, append(names, name)
		if k.Default != "" {
			_ = k.assign(&c, k.Default) // a default is a value
		}
	}
	for _, e := range w.entries(n, prefix) {
		name := keyText(e.Key)
		k, known := keys[name]
		if !known {
			w.unknown(e.Key, join(prefix, name), prefixed(prefix, names))
			continue
		}
		raw, ok := w.scalar(e.Value, join(prefix, name))
		if !ok {
			continue
		}
		if err := k.assign(&c, raw); err != nil {
			w.layer.fault(w.at(e.Value), "", "%s: %v", join(prefix, name), err)
		}
	}
	return &c.Retention
}

// AdHocReplica makes a replica from a flag's value, "place" or "name=place".
func AdHocReplica(value string) Replica {
	r := Replica{URL: value, Origin: Origin{Layer: FromFlag, Where: "--replica"}}
	if name, place, found := strings.Cut(value, "="); found && !strings.ContainsAny(name, `/\:?`) {
		r.Name, r.URL = name, place
	}
	return r
}

// settleReplicas takes the replicas of the strongest layer that has any.
func (c *Config) settleReplicas(layers []*layer, faults *layer) {
	for _, l := range layers {
		if l.replicas != nil {
			c.Replicas = slices.Clone(l.replicas)
			break
		}
	}
	// Who names a replica as the repository wants to work there.
	if i := slices.IndexFunc(c.Values, func(v Value) bool { return v.Key == "repository" }); i >= 0 && c.Values[i].Origin.Layer == FromFlag {
		c.Replicas = slices.DeleteFunc(slices.Clone(c.Replicas), func(r Replica) bool { return samePlace(expandHome(r.URL), c.Repository) })
	}
	c.checkReplicas(faults)
	for _, r := range c.Replicas {
		c.Values = append(c.Values, Value{Key: join(replicasKey, r.Name), Value: r.URL, Origin: r.Origin})
		c.Values = append(c.Values, r.encryptionValues()...)
	}
}

// SetReplicas takes these replicas in place of those that were configured.
func (c *Config) SetReplicas(list []Replica) error {
	faults := newLayer()
	c.Replicas = slices.Clone(list)
	c.checkReplicas(faults)
	return errors.Join(faults.errs...)
}

// checkReplicas judges the replicas that are in effect, as one set.
func (c *Config) checkReplicas(faults *layer) {
	var names []string
	for i := range c.Replicas {
		r := &c.Replicas[i]
		r.URL = expandHome(r.URL)
		r.Name = cmp.Or(r.Name, replicaName(r.URL))
		where := r.Origin.String()
		switch {
		case r.URL == "":
			faults.fault(where, "url: /mnt/nas/backups, or url: s3://bucket/prefix", "a replica has no %s", join(replicasKey, keyURL))
			continue
		case samePlace(r.URL, c.Repository):
			faults.fault(where, "name another place", "the replica %s is the repository itself", r.URL)
		}
		if _, err := holdfast.ParseSourceName(r.Name); err != nil || r.Name == allReplicas {
			faults.fault(where, "give it one: name: offsite", "%q cannot be the name of the replica %s", r.Name, r.URL)
		}
		if slices.Contains(names, r.Name) {
			faults.fault(where, "give one of them another name: name: offsite", "two replicas are called %q", r.Name)
		}
		names = append(names, r.Name)
		c.checkReplicaEncryption(r, faults)
	}
}

// samePlace tells whether two places are written alike.
func samePlace(a, b string) bool {
	if IsURL(a) || IsURL(b) {
		return strings.TrimSuffix(a, "/") == strings.TrimSuffix(b, "/")
	}
	x, errX := filepath.Abs(a)
	y, errY := filepath.Abs(b)
	return errX == nil && errY == nil && x == y
}

// IsURL tells whether a place is a URL, not a directory.
func IsURL(place string) bool { return strings.Contains(place, "://") }

// replicaName names a replica by its place: the bucket, or the directory.
func replicaName(place string) string {
	switch {
	case IsTelegram(place):
		return telegramScheme
	case IsURL(place):
		if u, err := url.Parse(place); err == nil {
			return u.Host
		}
		return ""
	}
	return defaultName(holdfast.KindFiles, place)
}
