package metrics

import "github.com/prometheus/client_golang/prometheus"

// namespace begins every name.
const namespace = "holdfast"

// A metric is one name of a sample.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
}

// sampled are the metrics of a sample.
var sampled []metric

func define(kind prometheus.ValueType, name, help string, labels ...string) metric {
	m := metric{prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil), kind}
	sampled = append(sampled, m)
	return m
}

func gauge(name, help string, labels ...string) metric {
	return define(prometheus.GaugeValue, name, help, labels...)
}

func counter(name, help string, labels ...string) metric {
	return define(prometheus.CounterValue, name, help, labels...)
}

// The verdict.
var (
	buildInfo  = gauge("build_info", "1, with the version of the program and of Go.", "version", "goversion")
	statusAt   = gauge("status_timestamp_seconds", "When sources, repository, replicas and programs were last looked at. Alert if it stands still: then everything else is old.")
	safe       = gauge("safe", "1 if the verdict is safe or unproven, 0 if something needs attention. Alert on 0.")
	verdict    = gauge("verdict", "1 for the verdict that holdfast status gives, 0 for all others.", "verdict")
	pruneHold  = gauge("prune_hold", "1 while nothing is pruned because a backup is suspiciously small. Alert on 1: somebody has to look.")
	restoreCut = gauge("restore_pending", "1 if a restore was cut and waits for holdfast recover. Alert on 1.")
	alarms     = gauge("alarm", "Alarms that stand, by kind. Alert on more than 0.", "kind")
)

// Sources.
var (
	lastSuccess = gauge("last_success_timestamp_seconds",
		"When the data of a source was last known to be saved: a backup holds it, or nothing had changed since one; 0 if never. The one to alert on: its age must stay below two or three intervals of the schedule.", "source")
	lastBackup    = gauge("last_backup_timestamp_seconds", "When the newest backup of a source was made. It may be old if nothing changes: alert on holdfast_last_success_timestamp_seconds.", "source")
	sourcePresent = gauge("source_present", "1 if the source is there and can be read. Alert on 0: the data is gone.", "source")
	sourceBytes   = gauge("source_bytes", "What a backup of the source would read now.", "source")
	sourceRecords = gauge("source_records", "Rows, records or files that the source holds now, if they could be counted. Alert on a sudden fall.", "source")
)

// Proofs.
var (
	lastProof = gauge("last_proof_timestamp_seconds",
		"When a backup last passed a full verification or a drill (kind any), or a drill (kind drill). Absent if never. Alert if it is absent or older than the schedule of verify and drills allows.", "kind")
	drillOK      = gauge("last_drill_success", "1 if the last drill brought the data back as it was captured. Alert on 0: a backup does not restore.")
	drillSeconds = gauge("last_drill_restore_seconds", "How long the last drill took to bring the data back: the recovery time to expect.")
)

// The repository.
var (
	repositoryUsable = gauge("repository_usable", "1 if the repository exists and can be asked. Alert on 0. The numbers of the repository are absent while it cannot be asked.")
	backupCount      = gauge("backups", "Backups in the repository.")
	unusableCount    = gauge("unusable_backups", "Backups whose metadata cannot be read. Alert on more than 0.")
	logicalBytes     = gauge("logical_bytes", "What all backups hold together.")
	storedBytes      = gauge("stored_bytes", "What all backups take in the repository.")
	heldBytes        = gauge("held_bytes", "What deleted backups still take because others need them; holdfast compact frees it.")
	freeBytes        = gauge("free_bytes", "Room that is left where the repository is; absent if nobody can tell, as in a bucket. Alert below a few times the largest backup.")
	newestBytes      = gauge("newest_backup_logical_bytes", "What the newest backup holds. Alert on a sudden fall.")
	newestStored     = gauge("newest_backup_stored_bytes", "What the newest backup takes.")
	newestSeconds    = gauge("newest_backup_duration_seconds", "How long the newest backup took.")
	writerStall      = gauge("writer_stall_seconds", "The longest that a writer may have had to wait for the newest backup. Alert on more than the application bears.")
)

// Replicas.
var (
	replicaUsable = gauge("replica_usable", "1 if the replica can be asked. Alert on 0.", "replica")
	replicaBehind = gauge("replica_behind", "Backups that the replica lacks. Alert if it stays above 0.", "replica")
	replicaNewest = gauge("replica_newest_timestamp_seconds", "When the newest backup was made of which the replica has a copy.", "replica")
	replicaLag    = gauge("replica_lag_seconds", "By how much the newest copy in the replica is older than the newest backup; 0 if nothing is missing. Alert on more than a day.", "replica")
)

// Programs in holdfast's care.
var (
	programCount     = gauge("programs", "Programs that run in holdfast's care (holdfast run, package boot).")
	degraded         = gauge("degraded", "Sources whose data lies in memory because their storage cannot hold it. Alert on more than 0: it is gone with the machine.")
	programsFailing  = gauge("programs_failing", "Programs whose own backups fail. Alert on more than 0.")
	dividedInstances = gauge("divided", "1 if two instances run, each with data of its own. Alert on 1: one of the two loses what it writes.")
	storageWipes     = counter("storage_wipes_total", "How often the storage of the programs was found wiped at a start. Alert on an increase: the platform does not keep the data.")
	storageKept      = counter("storage_kept_total", "How often the storage of the programs was found kept at a start.")
	lastWiped        = gauge("storage_wiped_timestamp_seconds", "When the storage of a program was last found wiped; absent if never.")
)

// The daemon.
var (
	attemptFailures = counter("backup_attempt_failures_total", "Attempts of automatic backups that failed, those included that found no repository to begin with. Alert on any increase.", "trigger")
	taskRuns        = counter("task_runs_total", "Runs of a periodic task.", "task")
	taskFailures    = counter("task_failures_total", "Runs of a periodic task that failed. Alert on any increase.", "task")
	taskLastRun     = gauge("task_last_run_timestamp_seconds", "When a periodic task last ran.", "task")
	taskNextRun     = gauge("task_next_run_timestamp_seconds", "When a periodic task is due. Alert if that is long past.", "task")
	jobs            = gauge("jobs", "Jobs that are not over, by state.", "state")

	proxyRequests    = counter("proxy_requests_total", "Requests to a Chroma proxy, by what they do: read, write or deletion.", "kind", "listen", "upstream")
	proxyRefused     = counter("proxy_refused_total", "Writes that a Chroma proxy refused because the backup before them failed. Alert on any increase.", "listen", "upstream")
	proxyUnprotected = counter("proxy_unprotected_total", "Writes that a Chroma proxy let pass although the backup before them failed. Alert on any increase.", "listen", "upstream")
	proxyWaiting     = gauge("proxy_waiting", "Writes that wait at a Chroma proxy for the backup before them.", "listen", "upstream")
)
