// Package boot gives a bot a SQLite database that survives what platforms do to
// disks: one call tries the storage, restores the newest good backup if the
// database is lost or damaged, runs the migrations, and gives out an ordinary
// *sql.DB. From then on backups are made by themselves: at every interval, soon
// after a change, and a last one when the program is told to end.
//
//	store, err := boot.Start(ctx, boot.Options{
//		Database:   "/tmp/bot_database.db",
//		Mirror:     "/tmp/bot_database.db.backup",
//		Repository: "s3://bucket/bot",
//		Migrations: migrations, // an embed.FS
//	})
//	if err != nil {
//		log.Fatal(err)
//	}
//	defer store.Close()
//	db := store.DB()
//
// Everything else of the program stays as it is. Two habits are worth it: pass
// [Store.Context] to what runs for long, since it ends when the platform sends
// SIGTERM, and let main return then, so that Close makes the last backup.
//
// # What it promises
//
//   - A healthy database is never replaced by a backup, older or newer. One that has
//     lost committed changes with a part of its log is not healthy if the newest
//     backup still has them.
//   - A start with nothing to restore or migrate waits for no network.
//   - When the storage fills up, turns read-only or fails under the running bot, the
//     data goes on in memory, with its backups, behind the same *sql.DB, and back to
//     disk when the storage works again. As long as the disk can still be read,
//     nothing that a statement acknowledged is lost; if it cannot, memory begins from
//     the newest backup, and says since when changes are lost. [Status] is [Degraded]
//     meanwhile.
//   - A database whose files are removed, or whose volume is unmounted, under the
//     running bot is copied over the connections that have it open still, before
//     they are closed, and put back.
//   - A migration that fails leaves the database as it was.
//   - Of several processes that start on one storage one restores and migrates, and
//     one makes the backups; another takes over when it ends.
//   - A change is in a backup within Options.OnChange, also where the platform
//     suspends the process, which then catches up when it wakes.
//
// What it cannot do: keep what was written after the last backup, if the machine
// takes the disk with it.
//
// # Where to look
//
// [Start] and [Options] say how a bot begins, [Store] what it has then:
// [Store.DB], [Store.Task] for periodic work, [Store.Backup], [Store.Backups] and
// [Store.Restore] for an admin panel, [Store.Status] for everything that is
// known. The same backups are there for the holdfast command: `holdfast list`,
// `holdfast verify` and `holdfast restore`, which makes the running bot let go of
// the database and go on with the restored one.
//
// The package has no logic of its own about backups. What the files are about:
// options.go (what is decided before), start.go, startlock.go, alone.go and migrate.go
// (the start), location.go, scratch.go, memory.go, fall.go and displaced.go (where the data lies, and
// how it moves), owner.go (letting go for a restore), presence.go (other instances),
// signals.go and close.go (the end), status.go, backups.go, desk.go (what package
// telegram works on) and foreign.go (other SQLite libraries).
package boot
