package config

import (
	"slices"
	"strings"
	"time"
)

// envPrefix begins the environment name of every key.
const envPrefix = "HOLDFAST_"

// envConfig names the configuration file; it is no key of the file.
const envConfig = envPrefix + "CONFIG"

// A Key is one setting: its dotted name in the file, its names in the
// environment and its default.
type Key struct {
	Name string
	// Manual are the names of the manuals, honoured beside Env.
	Manual  []string
	Default string
	// Doc is one sentence for `holdfast init` and the reference.
	Doc string
	// assign parses raw into the configuration.
	assign func(c *Config, raw string) error
	// list tells that the value in the file may be a list.
	list bool
	// EnvOnly tells that it is a secret, taken from the environment and never
	// from the file.
	EnvOnly bool
	// path tells that a relative value in the file is meant from the file.
	path bool
	// secret tells that the value is not shown, wherever it came from.
	secret bool
}

// Env is the key's environment name.
func (k Key) Env() string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(k.Name, ".", "_"))
}

// sourcesKey is the one key that is not a single value.
const sourcesKey = "sources"

// sourcesEnv takes the same map, as YAML.
const sourcesEnv = envPrefix + "SOURCES"

// Keys lists every single-valued setting in the order of the file.
func Keys() []Key {
	return slices.Concat([]Key{
		{
			Name: "repository", Default: "./data/chromadb_backup", path: true,
			Doc:    "Where the backups are kept: a directory, or s3://bucket/prefix.",
			assign: text(func(c *Config) *string { return &c.Repository }),
		},
		{
			Name: "state", path: true,
			Doc:    "Directory of the restore journal; by default a folder inside the repository.",
			assign: text(func(c *Config) *string { return &c.State }),
		},
		{
			Name: "include_memory", Manual: []string{"DEFAULT_BACKUP_INCLUDE_MEMORY"}, Default: "true",
			Doc:    "Whether a backup includes the assistant's memory unless told otherwise.",
			assign: boolean(func(c *Config) *bool { return &c.IncludeMemory }),
		},
		{
			Name: "compression", Manual: []string{"BACKUP_COMPRESSION"}, Default: "true",
			Doc:    "Whether stored files are compressed (zstd).",
			assign: boolean(func(c *Config) *bool { return &c.Compression }),
		},
		{
			Name: "auto_backup", Manual: []string{"AUTO_BACKUP_ENABLED"}, Default: "true",
			Doc:    "Whether `holdfast backup --trigger auto`, which an application calls before a large change, makes a backup.",
			assign: boolean(func(c *Config) *bool { return &c.AutoBackup }),
		},
		{
			Name: "max_backup_size_mb", Manual: []string{"MAX_BACKUP_SIZE_MB"}, Default: "1000",
			Doc:    "Stored size of one backup in MB. Set by you it refuses a larger backup; unset it only warns.",
			assign: count(func(c *Config) *int64 { return &c.MaxBackupSizeMB }, 1),
		},
	}, retentionKeys(), encryptionKeys(), []Key{headersKey()}, []Key{
		{
			Name: "deltas", Default: DeltasAuto,
			Doc:    "When a backup stores only what changed: auto (what comes often, or is large), always, never.",
			assign: oneOf(func(c *Config) *string { return &c.Deltas }, DeltasAuto, DeltasAlways, DeltasNever),
		},
		{
			Name: "full_every", Default: "7d",
			Doc:    "How old the full backup that deltas rest on becomes.",
			assign: duration(func(c *Config) *time.Duration { return &c.FullEvery }),
		},
		{
			Name: "replicate_after_backup", Default: "true",
			Doc:    "Whether `holdfast backup` copies the new backup into the replicas at once.",
			assign: boolean(func(c *Config) *bool { return &c.ReplicateAfterBackup }),
		},
		{
			Name: "emergency.enabled", Manual: []string{"EMERGENCY_BACKUP_ENABLED"}, Default: "true",
			Doc:    "Whether a restore first backs up the present state.",
			assign: boolean(func(c *Config) *bool { return &c.Emergency.Enabled }),
		},
		{
			Name: "emergency.prefix", Manual: []string{"EMERGENCY_BACKUP_PREFIX"}, Default: "emergency_restore",
			Doc:    "How the names of emergency backups begin.",
			assign: backupName(func(c *Config) *string { return &c.Emergency.Prefix }),
		},
		{
			Name:   "hooks.stop",
			Doc:    "Command that stops what uses the sources, before a restore replaces them.",
			assign: text(func(c *Config) *string { return &c.Hooks.Stop }),
		},
		{
			Name:   "hooks.start",
			Doc:    "Command that starts it again afterwards.",
			assign: text(func(c *Config) *string { return &c.Hooks.Start }),
		},
		{
			Name:   "hooks.reload",
			Doc:    "Command after a restore into a running store: what it replaced is in HOLDFAST_RELOAD, one name a line, for those who have to look it up again.",
			assign: text(func(c *Config) *string { return &c.Hooks.Reload }),
		},
		{
			Name: "hooks.timeout", Default: "2m",
			Doc:    "How long each of these commands may take.",
			assign: duration(func(c *Config) *time.Duration { return &c.Hooks.Timeout }),
		},
		{
			Name:   "hooks.before_backup",
			Doc:    "Command before every backup; if it fails, the backup is not made.",
			assign: text(func(c *Config) *string { return &c.Hooks.BeforeBackup }),
		},
		{
			Name:   "hooks.after_backup",
			Doc:    "Command after every backup that was made.",
			assign: text(func(c *Config) *string { return &c.Hooks.AfterBackup }),
		},
		{
			Name:   "hooks.before_restore",
			Doc:    "Command before every restore in place and rollback, before anything is touched; if it fails, nothing is.",
			assign: text(func(c *Config) *string { return &c.Hooks.BeforeRestore }),
		},
		{
			Name:   "hooks.after_restore",
			Doc:    "Command after every restore in place and rollback, when the new state stands.",
			assign: text(func(c *Config) *string { return &c.Hooks.AfterRestore }),
		},
		{
			Name:   "hooks.on_failure",
			Doc:    "Command after a backup, restore or rollback that failed.",
			assign: text(func(c *Config) *string { return &c.Hooks.OnFailure }),
		},
		{
			Name: "check_budget", Default: "500ms",
			Doc:    "How long a source's own check may take during a backup; verify has no limit.",
			assign: duration(func(c *Config) *time.Duration { return &c.CheckBudget }),
		},
	}, careKeys(), serveKeys(), telegramKeys())
}
