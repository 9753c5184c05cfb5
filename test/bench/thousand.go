package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/internal/devstack"
	"weir/internal/devstack/pooler"
	loops "weir/internal/fleet"
	"weir/jobs"
	"weir/jobs/host"
	"weir/secret"
	"weir/storage"
	"weir/triggers"
)

const (
	// hostsEach are the hosts of one process, which die together.
	hostsEach = 100
	// thousandLeads daemons lead beside them, on connections of their own.
	thousandLeads = 2
	thousandSlots = 2
	// pooledServers is PgBouncer's: the most connections that the hosts have to Postgres.
	pooledServers = 60
	// serverConnections is what Postgres takes: hosts that LISTEN have up to five each.
	serverConnections = 2200
	// idleSettle is when the start of hosts costs nothing any more; idleEach has most
	// statements of an idle host in it.
	idleSettle, idleEach = 10 * time.Second, 30 * time.Second
	// askers ask for transcodes at once.
	askers = 16
	// thousandWait bounds each wait, thousandLook is between two looks.
	thousandWait, thousandLook = 2 * time.Minute, 50 * time.Millisecond
	// thousandLimit bounds all of it, some ten minutes where nothing else runs.
	thousandLimit = 20 * time.Minute
	// statementsTold are those that cost most.
	statementsTold = 8

	goalFleetCore        = 0.5
	goalFleetConnections = 300
)

// fleetOf may have it smaller, to see whether it runs.
var fleetOf = flag.Int("hosts", 1000, "with -only fleet: measure so many `hosts`")

// thousand is a Postgres, a PgBouncer before it, and daemons that lead. Hosts come by
// processes.
type thousand struct {
	*bench

	folder     *devstack.Folder
	postgres   *devstack.Postgres
	pooler     *pooler.Pooler
	pool       *pgxpool.Pool
	transcodes *jobs.Transcodes
	web        *httptest.Server
	gate       chan struct{} // closed: sources that are held are there
	processes  []*hostProcess
	postmaster int
	asked      atomic.Int64
	closers    []func(context.Context) error
}

// fleet is what a thousand hosts cost that poll, and where LISTEN is the cheaper one.
func (b *bench) fleet(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, thousandLimit, fmt.Errorf("a fleet was not measured within %s: the machine is too busy", thousandLimit))
	defer cancel()
	for _, polls := range []bool{false, true} {
		if err := b.onThousand(ctx, func(t *thousand) error { return t.profile(ctx, polls) }); err != nil {
			return err
		}
	}
	return b.onThousand(ctx, func(t *thousand) error { return t.large(ctx, *fleetOf) })
}

// onThousand measures on servers of its own.
func (b *bench) onThousand(ctx context.Context, measure func(*thousand) error) (err error) {
	t := &thousand{bench: b, gate: make(chan struct{})}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fleetStop)
		defer cancel()
		for i := range t.closers {
			err = errors.Join(err, t.closers[len(t.closers)-1-i](ctx))
		}
	}()
	if err := t.serve(ctx); err != nil {
		return err
	}
	if err := t.lead(ctx); err != nil {
		return err
	}
	return measure(t)
}

func (t *thousand) closes(f func() error) {
	t.closers = append(t.closers, func(context.Context) error { return f() })
}

// serve starts the servers.
func (t *thousand) serve(ctx context.Context) (err error) {
	if t.folder, err = devstack.NewFolder(); err != nil {
		return err
	}
	t.closes(t.folder.Close)
	dir, err := t.folder.Make("postgres")
	if err != nil {
		return err
	}
	if t.postgres, err = devstack.StartPostgres(ctx, &devstack.PostgresConfig{Dir: dir, Settings: []string{
		"shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on",
		"shared_buffers=256MB", "max_wal_size=4GB", "max_connections=" + strconv.Itoa(serverConnections),
	}}); err != nil {
		return err
	}
	t.closes(t.postgres.Close)
	if dir, err = t.folder.Make("pooler"); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PgBouncer is another user there
		return fmt.Errorf("open the pooler's folder: %w", err)
	}
	if t.pooler, err = pooler.Start(ctx, &pooler.Config{Dir: dir, Database: t.postgres.URL, Servers: pooledServers}); err != nil {
		return err
	}
	t.closes(t.pooler.Close)
	if t.pool, err = db.Open(ctx, string(t.postgres.URL), askers+1); err != nil {
		return err
	}
	t.closes(func() error { t.pool.Close(); return nil })
	if _, err := db.Migrate(ctx, t.pool); err != nil {
		return err
	}
	if _, err := t.pool.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	t.web = httptest.NewServer(http.HandlerFunc(t.answer))
	t.closes(func() error { t.web.CloseClientConnections(); t.web.Close(); return nil })
	return t.findPostmaster(ctx)
}

// findPostmaster finds the server's first process, which is another one behind a restart.
func (t *thousand) findPostmaster(ctx context.Context) error {
	var backend int
	if err := t.pool.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&backend); err != nil {
		return fmt.Errorf("find Postgres' process: %w", err)
	}
	var err error
	t.postmaster, err = parentOf(backend)
	return err
}

// answer takes callbacks, and is the gate.
func (t *thousand) answer(_ http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		return
	}
	select {
	case <-t.gate:
	case <-r.Context().Done():
	}
}

// lead starts the daemons that lead: they LISTEN, whatever hosts do.
func (t *thousand) lead(ctx context.Context) error {
	sealer, err := hostsSealer()
	if err != nil {
		return err
	}
	inserter, err := jobs.NewInserter(t.pool)
	if err != nil {
		return err
	}
	t.transcodes = &jobs.Transcodes{DB: t.pool, River: inserter, Sealer: sealer}
	cfg := &loops.Config{Database: t.postgres.URL, Sealer: sealer, Log: slog.New(slog.DiscardHandler)}
	for i := range thousandLeads {
		d, err := cfg.Lead(ctx, fmt.Sprintf("lead-%d", i))
		if err != nil {
			return err
		}
		t.closers = append(t.closers, d.Stop)
	}
	return nil
}

// accept asks for a transcode whose source is in a folder. Who asks again gets the same one.
func (t *thousand) accept(ctx context.Context, folder string) error {
	n := t.asked.Add(1)
	source, output := fmt.Sprintf("s3+http://K:S@127.0.0.1:9/bench/%s%d.mp4", folder, n), fmt.Sprintf("s3+http://K:S@127.0.0.1:9/bench/out/%d", n)
	req := &jobs.Request{
		Tenant: "studio", ExternalID: strconv.FormatInt(n, 10), Form: jobs.FormV1, SourceURL: source, SourceShown: "s3+http://127.0.0.1:9/bench/" + folder,
		OutputURL: output, OutputShown: "s3+http://127.0.0.1:9/bench/out", CallbackURL: t.web.URL, CallbackShown: t.web.URL,
		Shown: json.RawMessage(`{}`), Body: []byte(source),
		Profiles: []jobs.Profile{
			{Name: "720p", Width: 1280, Height: 720, Bitrate: 3_000_000}, {Name: "480p", Width: 854, Height: 480, Bitrate: 1_500_000},
			{Name: "360p", Width: 640, Height: 360, Bitrate: 800_000},
		},
	}
	for began := time.Now(); ; {
		_, _, err := t.transcodes.Accept(ctx, req)
		if err == nil || time.Since(began) > thousandWait {
			return err
		}
		if err := pauseFor(ctx, thousandLook); err != nil { // Postgres is away
			return err
		}
	}
}

func (t *thousand) acceptMany(ctx context.Context, folder string, n int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(askers)
	for range n {
		group.Go(func() error { return t.accept(ctx, folder) })
	}
	return group.Wait()
}

// stream has requests come at even times.
func (t *thousand) stream(ctx context.Context, folder string, rate int, lasting time.Duration) error {
	group, ctx := errgroup.WithContext(ctx)
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for range int(lasting.Seconds()) * rate {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), group.Wait())
		}
		group.Go(func() error { return t.accept(ctx, folder) })
	}
	return group.Wait()
}

// until looks until a query is true, and says how long that took. Postgres may be away.
func (t *thousand) until(ctx context.Context, query string, args ...any) (time.Duration, error) {
	began := time.Now()
	for {
		var is bool
		err := t.pool.QueryRow(ctx, query, args...).Scan(&is)
		if is {
			return time.Since(began), nil
		}
		if time.Since(began) > thousandWait {
			return 0, errors.Join(fmt.Errorf("not within %s: %s", thousandWait, query), err)
		}
		if err := pauseFor(ctx, thousandLook); err != nil {
			return 0, err
		}
	}
}

// milli has seconds in thousandths.
func milli(seconds float64) float64 { return seconds * float64(time.Second/time.Millisecond) }

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const allEnded = `SELECT count(*) = 0 FROM (SELECT FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')
	UNION ALL SELECT FROM weir.callbacks WHERE state = 'pending' UNION ALL SELECT FROM weir.attempts WHERE cleaned_at IS NULL) open`

// spent is what Postgres and PgBouncer have used, how many statements there were, and
// connections now.
type spent struct {
	at                 time.Time
	postgres, pooler   time.Duration
	daemons            time.Duration // of hosts
	statements         int64
	connections, hosts int
}

func (t *thousand) spent(ctx context.Context) (s spent, err error) {
	if err := t.pool.QueryRow(ctx, `SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements
		WHERE query NOT LIKE '%pg_stat_statements%' AND query !~* '^(begin|commit|rollback)'`).Scan(&s.statements); err != nil {
		return s, fmt.Errorf("count statements: %w", err)
	}
	if err := t.pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
		(SELECT count(*) FROM weir.hosts WHERE lease_until > now())`).Scan(&s.connections, &s.hosts); err != nil {
		return s, fmt.Errorf("count connections: %w", err)
	}
	s.at = time.Now()
	if s.postgres, err = familyTime(t.postmaster); err != nil {
		return s, err
	}
	for _, p := range t.processes {
		if p.ended {
			continue
		}
		used, err := processorTime(p.cmd.Process.Pid)
		if err != nil {
			return s, err
		}
		s.daemons += used
	}
	s.pooler, err = processorTime(t.pooler.PID())
	return s, err
}

func (s spent) seconds(from spent) float64 { return s.at.Sub(from.at).Seconds() }

// postgresShare and poolerShare are of a core.
func (s spent) postgresShare(from spent) float64 {
	return (s.postgres - from.postgres).Seconds() / s.seconds(from)
}

func (s spent) poolerShare(from spent) float64 {
	return (s.pooler - from.pooler).Seconds() / s.seconds(from)
}

func (s spent) cores(from spent) float64 { return s.postgresShare(from) + s.poolerShare(from) }

func (s spent) rate(from spent) float64 {
	return float64(s.statements-from.statements) / s.seconds(from)
}

// idle is what n hosts cost that have nothing to do.
func (t *thousand) idle(ctx context.Context, n int, each time.Duration) (before, after spent, err error) {
	if err := pauseFor(ctx, idleSettle); err != nil {
		return before, after, err
	}
	if _, err := t.pool.Exec(ctx, "SELECT pg_stat_statements_reset()"); err != nil {
		return before, after, fmt.Errorf("count statements anew: %w", err)
	}
	if before, err = t.spent(ctx); err != nil {
		return before, after, err
	}
	if err := pauseFor(ctx, each); err != nil {
		return before, after, err
	}
	if after, err = t.spent(ctx); err != nil {
		return before, after, err
	}
	if after.hosts != n {
		return before, after, fmt.Errorf("%d hosts of %d hold a lease", after.hosts, n)
	}
	return before, after, nil
}

// large is the fleet that polls.
func (t *thousand) large(ctx context.Context, n int) error {
	began := time.Now()
	var of []*hostProcess
	defer func() {
		for _, p := range of {
			p.kill()
		}
	}()
	each := min(hostsEach, (n+1)/2) //nolint:mnd // some are left where one process dies
	for i := 0; i < n; i += each {
		p, err := t.startHosts(ctx, i, min(each, n-i), true)
		if err != nil {
			return err
		}
		of = append(of, p)
		t.processes = of
	}
	t.add(fmt.Sprintf("%d hosts that poll: all have booted", n), "s", "", 0, time.Since(began).Seconds())
	before, idle, err := t.idle(ctx, n, idleEach)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("%d idle hosts: Postgres and PgBouncer, of a core", n), "", fmt.Sprintf("under %g", goalFleetCore), goalFleetCore, idle.cores(before)).ratio = false
	t.add("  of it PgBouncer", "", "", 0, idle.poolerShare(before))
	t.add("  connections to Postgres", "", fmt.Sprintf("under %d", goalFleetConnections), goalFleetConnections, float64(idle.connections)).ratio = false
	t.add("  statements a second", "1/s", "", 0, idle.rate(before))
	t.add("  processor of each host itself, a second", "ms", "", 0, milli((idle.daemons-before.daemons).Seconds()/idle.seconds(before)/float64(n)))
	if err := t.memory(of); err != nil {
		return err
	}
	if err := t.statements(ctx, idle.seconds(before)); err != nil {
		return err
	}
	return t.strain(ctx, of, n)
}

// memory is what a host holds beside the others of its process.
func (t *thousand) memory(of []*hostProcess) error {
	var all []float64
	for _, p := range of {
		mb, err := p.memoryMB()
		if err != nil {
			return err
		}
		all = append(all, mb/float64(len(p.hosts)))
	}
	t.add("  memory of each host, of those in one process", "MB", "", 0, all...)
	return nil
}

// statements are those that cost most.
func (t *thousand) statements(ctx context.Context, seconds float64) error {
	rows, err := t.pool.Query(ctx, `SELECT coalesce(substring(query FROM '-- name: (\w+)'), left(regexp_replace(query, '\s+', ' ', 'g'), 40)),
		sum(calls)::float8, sum(total_plan_time + total_exec_time), sum(total_plan_time)
		FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat%' GROUP BY 1 ORDER BY 3 DESC LIMIT $1`, statementsTold)
	if err != nil {
		return fmt.Errorf("list statements: %w", err)
	}
	var name string
	var calls, took, planned float64
	if _, err := pgx.ForEachRow(rows, []any{&name, &calls, &took, &planned}, func() error {
		name = strings.ReplaceAll(name, "|", "/")
		t.add("  "+name+", a second", "1/s", "", 0, calls/seconds)
		t.add("  "+name+", each, planned and executed", "ms", "", 0, took/calls)
		return nil
	}); err != nil {
		return fmt.Errorf("list statements: %w", err)
	}
	return nil
}

// familyTime is what a process and those that it started have used, also those that ended.
func familyTime(pid int) (time.Duration, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, fmt.Errorf("list processes: %w", err)
	}
	sum, err := processorTime(pid)
	if err != nil {
		return 0, err
	}
	ended, err := endedTime(pid)
	if err != nil {
		return 0, err
	}
	sum += ended
	for _, path := range stats {
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if err != nil {
			continue
		}
		if parent, err := parentOf(child); err != nil || parent != pid {
			continue // it has ended, or is another's
		}
		if used, err := processorTime(child); err == nil {
			sum += used
		}
	}
	return sum, nil
}

const (
	// asHosts is this program as a process of hosts: FIRST COUNT POLLS FOLDER GATE.
	asHosts = "hosts"
	// hostsDatabase is theirs: a URL with a password is no argument.
	hostsDatabase = "WEIR_BENCH_HOSTS_DATABASE"
	// hostsBooting is how many of a process boot at once.
	hostsBooting = 8
	// heldSource begins the key of a source that is not there before the gate opens.
	heldSource = "held/"
	// askCounts has a process tell what its hosts have asked of Postgres.
	askCounts = "counts"
)

// hostsSealer seals what is nobody's secret.
func hostsSealer() (*secret.Sealer, error) {
	return secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32))) //nolint:mnd // a key is as long
}

func hostName(i int) string { return fmt.Sprintf("fleet-%d", i) }

// hostProcess is a process of hosts.
type hostProcess struct {
	hosts []string
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ended bool
}

// asked is how many statements a host has sent, and how many of those fetch jobs.
type hostAsked struct{ All, Fetches int64 }

// startHosts starts one, and returns when its hosts have booted.
func (t *thousand) startHosts(ctx context.Context, first, count int, polls bool) (_ *hostProcess, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find myself: %w", err)
	}
	database := t.postgres.URL
	if polls {
		if database, err = t.pooler.URL(database); err != nil {
			return nil, err
		}
	}
	p := &hostProcess{cmd: exec.CommandContext(ctx, self, "-as", asHosts,
		strconv.Itoa(first), strconv.Itoa(count), strconv.FormatBool(polls), t.folder.Path, t.web.URL)}
	for i := range count {
		p.hosts = append(p.hosts, hostName(first+i))
	}
	p.cmd.Env = append(os.Environ(), hostsDatabase+"="+string(database))
	p.cmd.Stderr = os.Stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if p.in, err = p.cmd.StdinPipe(); err != nil { // it ends with us
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a process of hosts: %w", err)
	}
	if _, err := p.out.ReadString('\n'); err != nil {
		p.kill()
		return nil, errors.New("a process of hosts has ended before they had booted")
	}
	return p, nil
}

// kill ends it as a power cut does.
func (p *hostProcess) kill() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
	_ = p.in.Close()
}

// counts is what its hosts have asked of Postgres so far.
func (p *hostProcess) counts() (counts map[string]hostAsked, err error) {
	if _, err = io.WriteString(p.in, askCounts+"\n"); err != nil {
		return nil, fmt.Errorf("ask a process of hosts: %w", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &counts)
	}
	if err != nil {
		return nil, fmt.Errorf("ask a process of hosts: %w", err)
	}
	return counts, nil
}

// memoryMB is what it holds.
func (p *hostProcess) memoryMB() (float64, error) { return residentMB(p.cmd.Process.Pid) }

// residentMB is the memory that a process has now.
func residentMB(pid int) (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("read the memory of %d: %w", pid, err)
	}
	for line := range strings.Lines(string(text)) {
		var kB float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kB); n == 1 {
			return kB / 1024, nil //nolint:mnd // kB in a MB
		}
	}
	return 0, fmt.Errorf("%d has no memory", pid)
}

// beHosts is such a process: it runs until it is killed, or its input ends.
func beHosts(ctx context.Context, args []string) error {
	var first, count int
	var opens string
	cfg := &loops.Config{Database: secret.Secret(os.Getenv(hostsDatabase)), Slots: thousandSlots, Log: slog.New(slog.DiscardHandler)}
	if _, err := fmt.Sscan(strings.Join(args, " "), &first, &count, &cfg.Polls, &cfg.Dir, &opens); err != nil {
		return fmt.Errorf("hosts want: FIRST COUNT POLLS FOLDER GATE: %w", err)
	}
	var err error
	if cfg.Sealer, err = hostsSealer(); err != nil {
		return err
	}
	cfg.Equip = func(h *host.Host) (jobs.Room, error) {
		listener, err := triggers.New(&triggers.Config{DB: h.DB, HostID: h.ID, Wake: h.Wakes.Wake, Spool: h.Spool})
		if err != nil {
			return nil, err
		}
		h.Engine = &freeEngine{
			triggers: listener, marks: &marks{off: true}, gate: &gate{}, attempts: map[engine.Name]*freeAttempt{},
			// A trigger that Postgres was away for is lost, which is what it may be.
			failed: func(error) {},
		}
		h.Media, h.Storage, h.Broadcasters = freeMedia{}, heldStorage{gate: opens}, []string{"http://127.0.0.1:9"}
		h.TriggerURL = "http://127.0.0.1:9/" + h.ID
		return listener.Room, nil
	}
	seen := &counter{of: map[string]*counted{}}
	cfg.Trace = seen.trace
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(hostsBooting)
	for i := range count {
		group.Go(func() error {
			_, err := cfg.Host(context.WithoutCancel(groupCtx), hostName(first+i)) // it ends with the process
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	fmt.Println("booted")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		text, err := json.Marshal(seen.counts())
		if err != nil {
			return fmt.Errorf("tell what was asked: %w", err)
		}
		fmt.Println(string(text))
	}
	return nil
}

// heldStorage is free, but for sources that are held: it has those once the gate answers.
type heldStorage struct {
	freeStorage

	gate string
}

// Fetch implements host.Storage.
func (s heldStorage) Fetch(ctx context.Context, from storage.Location, path string, opt storage.FetchOptions) (storage.Fetched, error) {
	if strings.HasPrefix(from.Key(), heldSource) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.gate, nil)
		if err != nil {
			return storage.Fetched{}, fmt.Errorf("wait for a source: %w", err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return storage.Fetched{}, fmt.Errorf("wait for a source: %w", err)
		}
		_ = resp.Body.Close()
	}
	return s.freeStorage.Fetch(ctx, from, path, opt)
}

// counter counts what hosts ask.
type counter struct {
	mu sync.Mutex
	of map[string]*counted
}

func (c *counter) trace(id string) pgx.QueryTracer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.of[id] = &counted{}
	return c.of[id]
}

func (c *counter) counts() map[string]hostAsked {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts := map[string]hostAsked{}
	for id, of := range c.of {
		counts[id] = hostAsked{of.all.Load(), of.fetches.Load()}
	}
	return counts
}

// counted is what one host has asked.
type counted struct{ all, fetches atomic.Int64 }

var _ pgx.QueryTracer = (*counted)(nil)

// TraceQueryStart implements pgx.QueryTracer.
func (c *counted) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	c.all.Add(1)
	if strings.Contains(data.SQL, "JobGetAvailable") {
		c.fetches.Add(1)
	}
	return ctx
}

// TraceQueryEnd implements pgx.QueryTracer.
func (*counted) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

const (
	// steadyRate requests come each second for steadyFor.
	steadyRate, steadyFor = 50, time.Minute
	// restartFor is the stream under which Postgres is restarted, restartAfter into it, when as many
	// begin as end; it is long enough that some begin behind the restart too.
	restartRate, restartFor, restartAfter = 20, 30 * time.Second, 5 * time.Second

	goalBurst  = 2 * time.Second
	goalReaped = 30 * time.Second
	// goalSteady is what ends of what comes, and goalDrained how soon the last of it has.
	goalSteady  = 0.98
	goalDrained = 10 * time.Second
)

// strain is what happens to a fleet.
func (t *thousand) strain(ctx context.Context, of []*hostProcess, n int) error {
	for _, part := range []func() error{
		func() error { return t.burst(ctx, n) },
		func() error { return t.death(ctx, of[len(of)-1], n) },
		func() error { return t.steady(ctx) },
		func() error { return t.restart(ctx, n-len(of[len(of)-1].hosts)) },
	} {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// burst is how soon as many are placed as there are hosts, once they may be. They stay.
func (t *thousand) burst(ctx context.Context, n int) error {
	q := dbsqlc.New()
	if err := q.PlacementPause(ctx, t.pool, dbsqlc.PlacementPauseParams{PausedBy: "bench", PauseReason: "a burst comes"}); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	began := time.Now()
	if err := t.acceptMany(ctx, heldSource, n); err != nil {
		return err
	}
	accepted := time.Since(began)
	// As autovacuum does within the first minute: until then plans are for empty tables.
	if _, err := t.pool.Exec(ctx, "ANALYZE"); err != nil {
		return fmt.Errorf("analyze: %w", err)
	}
	began = time.Now()
	if err := db.InTx(ctx, t.pool, func(tx pgx.Tx) error {
		if _, err := q.PlacementResume(ctx, tx); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: t.transcodes.River}.WakePlacement(ctx)
	}); err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	took, err := t.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("a burst of %d that wait: all are placed", n), "s", "under "+goalBurst.String(), goalBurst.Seconds(), took.Seconds())
	t.add("  they were accepted within", "s", "", 0, accepted.Seconds())
	if _, err = t.until(ctx, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, n); err != nil {
		return err
	}
	t.add("  all are taken up by their hosts", "s", "", 0, time.Since(began).Seconds())
	return nil
}

// death is how soon the hosts of a process are reaped that is killed with work on each.
func (t *thousand) death(ctx context.Context, dead *hostProcess, n int) error {
	var held int
	if err := t.pool.QueryRow(ctx, `SELECT count(*) FROM weir.transcodes WHERE state = 'running' AND host_id = ANY($1)`, dead.hosts).Scan(&held); err != nil {
		return fmt.Errorf("count what dies: %w", err)
	}
	dead.kill()
	took, err := t.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state IN ('placed', 'running', 'storing') AND host_id = ANY($1))`, dead.hosts)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("%d hosts are killed at once, with %d transcodes: all are taken from them", len(dead.hosts), held), "s",
		"under "+goalReaped.String(), goalReaped.Seconds(), took.Seconds())
	placed, err := t.until(ctx, `SELECT NOT EXISTS (SELECT FROM weir.transcodes WHERE state = 'queued')`)
	if err != nil {
		return err
	}
	t.add("  all are placed on others", "s", "under "+goalReaped.String(), goalReaped.Seconds(), (took + placed).Seconds())
	again, err := t.until(ctx, `SELECT count(*) = $1 FROM weir.transcodes WHERE state = 'running'`, n)
	if err != nil {
		return err
	}
	t.add("  they run there", "s", "", 0, (took + placed + again).Seconds())
	close(t.gate)
	rest, err := t.until(ctx, allTold)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("  the sources of all %d are there at once: all have ended and are called back", n), "s", "", 0, rest.Seconds())
	return nil
}

// allTold is allEnded where hosts are dead, which clean up nothing.
const allTold = `SELECT count(*) = 0 FROM (SELECT FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')
	UNION ALL SELECT FROM weir.callbacks WHERE state = 'pending') open`

// steady is a stream of whole lifecycles.
func (t *thousand) steady(ctx context.Context) error {
	from, err := t.spent(ctx)
	if err != nil {
		return err
	}
	if err := t.stream(ctx, "steady/", steadyRate, steadyFor); err != nil {
		return err
	}
	to, err := t.spent(ctx)
	if err != nil {
		return err
	}
	var ended float64
	if err := t.pool.QueryRow(ctx, `SELECT count(*)::float8 / $1 FROM weir.transcodes WHERE finished_at > now() - make_interval(secs => $1::float8)`,
		steadyFor.Seconds()/2).Scan(&ended); err != nil { //nolint:mnd // the later half: it is steady there
		return fmt.Errorf("count what has ended: %w", err)
	}
	rest, err := t.until(ctx, allTold)
	if err != nil {
		return err
	}
	t.addAbove(fmt.Sprintf("%d lifecycles a second for %s: ended a second", steadyRate, steadyFor), "1/s",
		fmt.Sprintf("%g or more", goalSteady*steadyRate), goalSteady*steadyRate, ended)
	t.add("  the last request -> all have ended and are called back", "s", "under "+goalDrained.String(), goalDrained.Seconds(), rest.Seconds())
	t.add("  Postgres and PgBouncer, of a core", "", "", 0, to.cores(from))
	t.add("  of it PgBouncer", "", "", 0, to.poolerShare(from))
	t.add("  the hosts, in cores", "", "", 0, (to.daemons-from.daemons).Seconds()/to.seconds(from))
	t.add("  connections to Postgres", "", "", 0, float64(to.connections))
	return t.takenUp(ctx, "steady/")
}

// takenUp is how soon a host has begun with what was accepted.
func (t *thousand) takenUp(ctx context.Context, folder string) error {
	var half, most float64
	if err := t.pool.QueryRow(ctx, `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.99) WITHIN GROUP (ORDER BY took)
		FROM (SELECT extract(epoch FROM a.started_at - t.created_at)::float8 AS took FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id
		       WHERE a.started_at IS NOT NULL AND t.source_url LIKE '%' || $1) of`, folder).Scan(&half, &most); err != nil {
		return fmt.Errorf("read how soon work began: %w", err)
	}
	t.add("  accepted -> its process is started, 50 of 100", "s", "", 0, half)
	t.add("  99 of 100", "s", "", 0, most)
	return nil
}

// restart is how soon all goes on behind a restart of Postgres, under a stream.
func (t *thousand) restart(ctx context.Context, alive int) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return t.stream(groupCtx, "restart/", restartRate, restartFor) })
	err := func() error {
		if err := pauseFor(ctx, restartAfter); err != nil {
			return err
		}
		if err := t.postgres.Close(); err != nil {
			return err
		}
		if err := t.postgres.Restart(ctx); err != nil {
			return err
		}
		back := time.Now()
		if _, err := t.until(ctx, `SELECT count(*) > 0 FROM weir.transcodes WHERE finished_at > pg_postmaster_start_time()`); err != nil {
			return err
		}
		t.add("Postgres is restarted under it: the first transcode ends again", "s", "", 0, time.Since(back).Seconds())
		if _, err := t.until(ctx, `SELECT count(*) = $1 FROM weir.hosts WHERE seen_at > pg_postmaster_start_time()`, alive); err != nil {
			return err
		}
		t.add("  all hosts have renewed their lease", "s", "", 0, time.Since(back).Seconds())
		return nil
	}()
	if err := errors.Join(err, group.Wait()); err != nil {
		return err
	}
	last := time.Now()
	if _, err := t.until(ctx, allTold); err != nil {
		return err
	}
	t.add("  the last request -> all have ended and are called back", "s", "", 0, time.Since(last).Seconds())
	var again, lost float64
	if err := t.pool.QueryRow(ctx, `SELECT count(*) FILTER (WHERE attempt > 1)::float8 FROM weir.transcodes WHERE source_url LIKE '%restart/'`).Scan(&again); err != nil {
		return fmt.Errorf("count attempts: %w", err)
	}
	t.add("  transcodes that were begun again", "", "", 0, again)
	if err := t.pool.QueryRow(ctx, `SELECT $1 - count(*) FROM weir.transcodes t JOIN weir.callbacks c ON c.transcode_id = t.id
		WHERE t.state = 'succeeded' AND c.state = 'delivered'`, float64(t.asked.Load())).Scan(&lost); err != nil {
		return fmt.Errorf("count what has ended: %w", err)
	}
	t.add("of all that was accepted: lost, or failed", "", "none", 0, lost).ratio = false
	return nil
}

const (
	// crossIdle and crossBusy are short: it is eight times each.
	crossIdle, crossBusy = 15 * time.Second, 10 * time.Second
	// crossRate lifecycles come each second.
	crossRate = 10
	// placedAlone are placed one after the other, each beside placedAround on both sides, in which
	// all that one wakes has asked what it asks.
	placedAlone, placedAround = 20, 300 * time.Millisecond
	// goalWoken is above what polls that come by chance differ by.
	goalWoken = 3
)

// profile is what fleets of several sizes cost in one profile.
func (t *thousand) profile(ctx context.Context, polls bool) error {
	name := map[bool]string{false: "LISTEN", true: "poll"}[polls]
	var of []*hostProcess
	defer func() {
		for _, p := range of {
			p.kill()
		}
	}()
	hosts := 0
	for _, n := range []int{50, 100, 200, 400} { //nolint:mnd // around where one is to become the cheaper one
		if n > *fleetOf {
			break
		}
		p, err := t.startHosts(ctx, hosts, n-hosts, polls)
		if err != nil {
			return err
		}
		of, hosts = append(of, p), n
		if err := t.cross(ctx, name, n); err != nil {
			return err
		}
		if n == hostsEach && !polls {
			if err := t.woken(ctx, of, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// cross is one size, idle and at work.
func (t *thousand) cross(ctx context.Context, name string, n int) error {
	before, idle, err := t.idle(ctx, n, crossIdle)
	if err != nil {
		return err
	}
	if err := t.stream(ctx, "cross/", crossRate, crossBusy); err != nil {
		return err
	}
	if _, err := t.until(ctx, allEnded); err != nil {
		return err
	}
	busy, err := t.spent(ctx)
	if err != nil {
		return err
	}
	t.add(fmt.Sprintf("%d hosts, %s: idle, of a core", n, name), "", "", 0, idle.cores(before))
	t.add("  statements a second", "1/s", "", 0, idle.rate(before))
	t.add("  connections to Postgres", "", "", 0, float64(busy.connections))
	each := (busy.cores(idle) - idle.cores(before)) * busy.seconds(idle) / (crossRate * crossBusy.Seconds())
	t.add(fmt.Sprintf("  at %d lifecycles a second: each, beside what is idle", crossRate), "ms", "", 0, milli(each))
	return t.takenUpSince(ctx, idle.at)
}

// takenUpSince is takenUp of what was accepted since.
func (t *thousand) takenUpSince(ctx context.Context, since time.Time) error {
	var half float64
	if err := t.pool.QueryRow(ctx, `SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM a.started_at - t.created_at))
		FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id WHERE t.created_at > $1`, since).Scan(&half); err != nil {
		return fmt.Errorf("read how soon work began: %w", err)
	}
	t.add("  accepted -> its process is started, 50 of 100", "s", "", 0, half)
	return nil
}

// woken is how many hosts fetch jobs as one transcode is placed, beyond those whose turn it
// was to poll.
func (t *thousand) woken(ctx context.Context, of []*hostProcess, n int) error {
	var others, own, statements float64
	for range placedAlone {
		was, err := countsOf(of)
		if err != nil {
			return err
		}
		if err := pauseFor(ctx, placedAround); err != nil {
			return err
		}
		before, err := countsOf(of)
		if err != nil {
			return err
		}
		if err := t.accept(ctx, heldSource); err != nil {
			return err
		}
		if err := pauseFor(ctx, placedAround); err != nil {
			return err
		}
		after, err := countsOf(of)
		if err != nil {
			return err
		}
		var on string
		if err := t.pool.QueryRow(ctx, `SELECT COALESCE(host_id, '') FROM weir.transcodes ORDER BY created_at DESC LIMIT 1`).Scan(&on); err != nil {
			return fmt.Errorf("read where it was placed: %w", err)
		}
		for id := range after {
			fetched := after[id].Fetches > before[id].Fetches
			switch {
			case id == on && fetched:
				own++
			case id == on:
			case fetched:
				others++
			}
			if id != on {
				statements += float64(after[id].All-before[id].All) - float64(before[id].All-was[id].All)
				if before[id].Fetches > was[id].Fetches {
					others--
				}
			}
		}
	}
	close(t.gate)
	if _, err := t.until(ctx, allEnded); err != nil {
		return err
	}
	t.add(fmt.Sprintf("one transcode is placed, %d hosts LISTEN: its host fetches it, of each placement", n), "", "", 0, own/placedAlone)
	t.add("  other hosts that fetch for it", "", fmt.Sprintf("under %d", goalWoken), goalWoken, others/placedAlone).ratio = false
	t.add("  statements of all others for it", "", "", 0, statements/placedAlone)
	return nil
}

// countsOf is what the hosts of some processes have asked so far.
func countsOf(of []*hostProcess) (map[string]hostAsked, error) {
	all := map[string]hostAsked{}
	for _, p := range of {
		counts, err := p.counts()
		if err != nil {
			return nil, err
		}
		maps.Copy(all, counts)
	}
	return all, nil
}
