package config

import (
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// replicaEncryption reads one key about the encryption of a replica. They are
// those of the repository, meant for the copies.
func (w *walker) replicaEncryption(e *ast.MappingValueNode, full string, r *Replica) {
	name := keyText(e.Key)
	if name == keyDecrypt {
		raw, ok := w.scalar(e.Value, full)
		if !ok {
			return
		}
		if err := boolean(func(*Config) *bool { return &r.Decrypt })(nil, raw); err != nil {
			w.layer.fault(w.at(e.Value), "", "%s: %v", full, err)
		}
		return
	}
	raw, ok := w.value(e.Value, full)
	if !ok {
		return
	}
	var c Config
	for _, k := range encryptionKeys() {
		if k.Name != name {
			continue
		}
		c.Encryption = r.Encryption
		if err := k.assign(&c, raw); err != nil {
			w.layer.fault(w.at(e.Value), "", "%s: %v", full, err)
			return
		}
		r.Encryption = c.Encryption
	}
}

// checkReplicaEncryption judges the settings of one replica together.
func (c *Config) checkReplicaEncryption(r *Replica, faults *layer) {
	e := &r.Encryption
	e.IdentityFile, e.PassphraseFile = expandHome(e.IdentityFile), expandHome(e.PassphraseFile)
	where := r.Origin.String()
	if e.PassphraseFile != "" && e.PassphraseCommand != "" {
		faults.fault(where, "keep one of them", "the passphrase of the replica %s is given by both %s and %s", r.Name, keyPassphraseFile, keyPassphraseCommand)
	}
	if r.Decrypt && (len(e.To) > 0 || e.HasPassphrase()) {
		faults.fault(where, "keep one of them", "the copies in the replica %s are to lie in the open (%s) and to be encrypted", r.Name, keyDecrypt)
	}
	c.warnOfOpenSecrets(e)
}

// encryptionValues are the settings as `config show` shows them. None of them is
// a secret.
func (r Replica) encryptionValues() []Value {
	var list []Value
	add := func(key, value string) {
		if value != "" {
			list = append(list, Value{Key: join(join(replicasKey, r.Name), key), Value: value, Origin: r.Origin})
		}
	}
	add(keyEncryptTo, strings.Join(r.Encryption.To, ", "))
	add(keyIdentityFile, r.Encryption.IdentityFile)
	add(keyPassphraseFile, r.Encryption.PassphraseFile)
	add(keyPassphraseCommand, r.Encryption.PassphraseCommand)
	if r.Decrypt {
		add(keyDecrypt, "true")
	}
	return list
}
