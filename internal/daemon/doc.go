// Package daemon is `holdfast serve`: backups that make and prove themselves, and the
// surfaces through which programs ask for more.
//
// Start from [Run], which blocks until it is told to stop. What runs by itself belongs to
// one configuration, the core: the keeper that makes backups, the tasks that prove them and
// look after alarms, the verbs that clients call. A new configuration is built and
// checked beside the old one, and takes its place only then. What outlives that: jobs, alarms, the doors (addresses that
// are listened on), who may ask.
//
// What it promises: one daemon serves a state directory, and one of several machines a
// repository; what was missed while none ran is caught up with; a repository that cannot
// be reached keeps nothing from starting and is asked again; a configuration that cannot
// be used changes nothing; the first request to stop lets what is at work
// finish within shutdown_timeout, or rolls it back.
//
// The ideas lie in files of their own: run.go (from start to stop), start.go (what is settled before
// anything is served), single.go and claim.go (one daemon), core.go
// and reload.go (configurations), tasks.go, rotation.go, memo.go and watch.go (the care that goes on by
// itself), door.go (addresses), health.go and notify.go (whether it lives, and who is told), log.go.
package daemon
