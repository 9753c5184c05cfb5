package doctor

// The checks.
const (
	PostgresReach        Code = "postgres.reach"
	PostgresVersion      Code = "postgres.version"
	PostgresSettings     Code = "postgres.settings"
	PostgresConnections  Code = "postgres.connections"
	PostgresTransactions Code = "postgres.transactions"
	PostgresDead         Code = "postgres.dead_rows"
	PostgresStatistics   Code = "postgres.statistics"
	PostgresRights       Code = "postgres.rights"
	SchemaVersion        Code = "schema.version"
	RiverLeader          Code = "river.leader"
	RiverQueues          Code = "river.queues"
	RiverStuck           Code = "river.stuck"
	DaemonSilent         Code = "daemon.silent"
	DaemonNone           Code = "daemon.none"
	ClockSkew            Code = "clock.skew"
	MistAPI              Code = "mist.api"
	MistVersion          Code = "mist.version"
	MistTrigger          Code = "mist.trigger"
	MistProgram          Code = "mist.program"
	MediaTools           Code = "media.tools"
	MediaCodecs          Code = "media.codecs"
	ShmRoom              Code = "shm.room"
	SpoolRoom            Code = "spool.room"
	StoreKeys            Code = "store.keys"
	StorePut             Code = "store.put"
	StoreGet             Code = "store.get"
	StoreDelete          Code = "store.delete"
	BroadcasterSegment   Code = "broadcaster.segment"
	ReceiverReach        Code = "receiver.reach"
)

// Kind is what is to be known of a code.
type Kind struct {
	Code Code
	// Mend is the line that mends it in most cases.
	Mend string
	// Cheap: it costs nearly nothing, and is looked at again and again.
	Cheap bool
}

// Codes are all checks, in the order in which they are shown: what others rest on comes
// first. Each has a section in docs/doctor.md.
func Codes() []Kind {
	return []Kind{
		{PostgresReach, "start Postgres, or correct its address, WEIR_DATABASE_URL or --database-url; `pg_isready -d \"$WEIR_DATABASE_URL\"` tells which", true},
		{PostgresVersion, "upgrade the server to PostgreSQL 15 or newer (pg_upgrade)", true},
		{PostgresSettings, "in postgresql.conf set fsync, full_page_writes, autovacuum and track_counts to on, then SELECT pg_reload_conf()", true},
		{PostgresConnections, "raise max_connections, or lower WEIR_DATABASE_MAX_CONNS, and restart", true},
		{PostgresTransactions, "end it: SELECT pg_terminate_backend(PID), with the pid that the evidence names", true},
		{PostgresDead, "VACUUM (ANALYZE) weir.TABLE; it helps only behind the end of what postgres.transactions names", true},
		{PostgresStatistics, "ANALYZE, as the schema's owner", true},
		{PostgresRights, "run `weir-admin db roles` as the schema's owner", true},
		{SchemaVersion, "run `weir-admin db migrate`", true},
		{RiverLeader, "start a weir-daemon with WEIR_CONTROL=true, or look into its log for what it waits for", true},
		{RiverQueues, "UPDATE weir.river_queue SET paused_at = NULL; a daemon that leads does so within 30 s", true},
		{RiverStuck, "start the daemon that works on the queue; `weir-admin hosts list` shows who is alive", true},
		{DaemonSilent, "on its machine: systemctl status weir-daemon, and `weir-daemon doctor`", true},
		{DaemonNone, "start a weir-daemon; on its machine `weir-daemon doctor` says what keeps it from starting", true},
		{ClockSkew, "on the host: timedatectl set-ntp true, then timedatectl timesync-status", true},
		{MistAPI, "start MistServer, or correct WEIR_MIST_API and WEIR_MIST_USERNAME", true},
		{MistVersion, "install a MistServer 3 on this host, and restart weir-daemon", true},
		{MistTrigger, "restart weir-daemon; if it comes back, another program writes Mist's triggers: see config.triggers there", true},
		{MistProgram, "install MistServer's programs, or set WEIR_MIST_BIN_DIR to the folder of MistProcLivepeer", true},
		{MediaTools, "apt-get install ffmpeg, or set WEIR_FFMPEG and WEIR_FFPROBE", true},
		{MediaCodecs, "install an ffmpeg with what the evidence names; Debian's has all of it", false},
		{ShmRoom, "mount -o remount,size=2G /dev/shm, and in a container raise its shm size", true},
		{SpoolRoom, "free room on the spool's disk, or move WEIR_SPOOL_DIR to a larger one", true},
		{StoreKeys, "set the store again by `weir-admin tenants stores set`: its keys were sealed with another WEIR_SECRET_KEY", false},
		{StorePut, "correct the store by `weir-admin tenants stores set`, or its key's rights at the S3 server", false},
		{StoreGet, "give the store's key the right to read (s3:GetObject)", false},
		{StoreDelete, "give the store's key the right to delete (s3:DeleteObject)", false},
		{BroadcasterSegment, "look into the Broadcaster's log, or take it out of WEIR_BROADCASTERS and restart weir-daemon", false},
		{ReceiverReach, "ask who runs it; a private address must be allowed by WEIR_ALLOWED_NETWORKS", false},
	}
}

func names() []string {
	var all []string
	for _, kind := range Codes() {
		all = append(all, string(kind.Code))
	}
	return all
}

// Mend is the line that mends it in most cases.
func (c Code) Mend() string { return c.kind().Mend }

// Cheap says whether it is looked at again and again.
func (c Code) Cheap() bool { return c.kind().Cheap }

func (c Code) kind() Kind {
	for _, kind := range Codes() {
		if kind.Code == c {
			return kind
		}
	}
	return Kind{}
}

// place orders codes.
func (c Code) place() int {
	for i, kind := range Codes() {
		if kind.Code == c {
			return i
		}
	}
	return len(Codes())
}
