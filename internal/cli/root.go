package cli

import "github.com/alecthomas/kong"

// root is the table of commands, grouped as the overview shows them.
type root struct {
	globals

	Run    runCmd    `cmd:"" group:"run" help:"Run a program whose data survives: restored before, backed up while it runs."`
	Serve  serveCmd  `cmd:"" group:"run" help:"Make and prove backups by itself, and serve the pages and the HTTP API."`
	Guard  guardCmd  `cmd:"" group:"run" help:"Back up, run a command, and keep what it did or roll it back."`
	Backup backupCmd `cmd:"" group:"make" help:"Back up all sources as one set."`
	List   listCmd   `cmd:"" group:"look" help:"List the backups."`
	Show   showCmd   `cmd:"" group:"look" help:"Show everything about one backup."`
	Status statusCmd `cmd:"" group:"look" help:"Say whether the data is safe."`
	Browse browseCmd `cmd:"" group:"look" help:"Look into a backup: its tables, collections, rows and records."`
	Search searchCmd `cmd:"" group:"look" help:"Find a text in a backup."`
	Diff   diffCmd   `cmd:"" group:"look" help:"Compare two backups, or one with the present state."`

	Verify   verifyCmd   `cmd:"" group:"make" help:"Prove backups: every byte, then each source's own check."`
	Drill    drillCmd    `cmd:"" group:"make" help:"Restore a backup into scratch space and prove it, with a real server."`
	Restore  restoreCmd  `cmd:"" group:"back" help:"Bring a backup back, in place or elsewhere."`
	Rollback rollbackCmd `cmd:"" group:"back" help:"Undo the last restore."`
	Recover  recoverCmd  `cmd:"" group:"back" help:"Finish or undo a restore that was cut."`
	Export   exportCmd   `cmd:"" group:"back" help:"Write the full tree of a backup to a directory, or as tar."`
	Import   importCmd   `cmd:"" group:"back" help:"Bring an exported or copied Chroma directory in."`

	Delete    deleteCmd    `cmd:"" group:"keep" help:"Delete backups."`
	Pin       pinCmd       `cmd:"" group:"keep" help:"Keep a backup from pruning."`
	Unpin     unpinCmd     `cmd:"" group:"keep" help:"Let a pinned backup go with its age again."`
	Replicate replicateCmd `cmd:"" group:"keep" help:"Copy backups into replicas."`
	Prune     pruneCmd     `cmd:"" group:"keep" help:"Remove backups that are older than the retention."`

	Compact compactCmd `cmd:"" group:"keep" help:"Free the space of deleted backups that others still need."`

	Demo       demoCmd       `cmd:"" group:"setup" help:"Show the main job on sample data: back up, damage, restore, prove."`
	Init       initCmd       `cmd:"" group:"setup" help:"Write a configuration file and create the repository."`
	Config     configCmd     `cmd:"" group:"setup" help:"Look at the configuration."`
	Key        keyCmd        `cmd:"" group:"setup" help:"Look at and change what encrypts the backups."`
	Token      tokenCmd      `cmd:"" group:"setup" help:"Say who may use the HTTP API, and for what."`
	Password   passwordCmd   `cmd:"" group:"setup" help:"Set the password of the pages of holdfast serve."`
	Notify     notifyCmd     `cmd:"" group:"setup" help:"Try whether those who are told of alarms can be."`
	Rescue     rescueCmd     `cmd:"" group:"setup" help:"Print what is needed to restore without this machine."`
	Health     healthCmd     `cmd:"" group:"setup" help:"Ask whether holdfast serve is alive."`
	Doctor     doctorCmd     `cmd:"" group:"setup" help:"Check everything that a backup or restore depends on."`
	Completion completionCmd `cmd:"" group:"setup" help:"Print a completion script for a shell."`
	Version    versionCmd    `cmd:"" group:"setup" help:"Print the version."`
}

// groups are the headings of the overview, in its order.
var groups = []struct{ key, title string }{
	{"make", "Make and prove backups"},
	{"run", "Run programs"},
	{"look", "Look"},
	{"back", "Bring data back"},
	{"keep", "Keep and remove"},
	{"setup", "Set up"},
}

// globals are the flags of every command.
type globals struct {
	Config           string   `value:"FILE" help:"Configuration file (default: ./holdfast.yaml, if there is one)."`
	Repo             string   `value:"DIR|URL" help:"Repository: a directory or s3://bucket/prefix (default: ./data/chromadb_backup)."`
	Chroma           []string `sep:"none" value:"[NAME=]DIR" help:"Protect this Chroma directory; repeatable. Source flags replace the configured sources."`
	ChromaURL        []string `name:"chroma-url" sep:"none" value:"[NAME=]URL" help:"Protect this Chroma server by requests; repeatable. Its token: HOLDFAST_CHROMA_HEADERS."`
	MemoryCollection []string `sep:"none" value:"NAME" help:"Collection that is the assistant's memory; repeatable."`
	RAGMode          string   `name:"rag-mode" enum:",enhanced,standard" default:"" value:"MODE" help:"Mode of the assistant: enhanced or standard."`
	SQLite           []string `name:"sqlite" sep:"none" value:"[NAME=]FILE" help:"Protect this SQLite database; repeatable."`
	Files            []string `sep:"none" value:"[NAME=]DIR" help:"Protect this tree of files; repeatable."`
	JSON             bool     `name:"json" help:"Print one JSON object; errors too, on standard error."`
	Events           bool     `help:"With --json: print each event as a line before the object."`
	Quiet            bool     `short:"q" help:"No progress and no notes; data, warnings and errors only."`
	Verbose          bool     `short:"v" help:"Tell more, and log to standard error."`
	Yes              bool     `short:"y" help:"Answer every question with yes."`
	Help             helpFlag `short:"h" help:"Show help for the command."`
}

// nodePath is a command's name with those it lies below: "config show".
func nodePath(n *kong.Node) string {
	if n.Parent == nil || n.Parent.Type == kong.ApplicationNode {
		return n.Name
	}
	return nodePath(n.Parent) + " " + n.Name
}
