package metrics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"weir/db/dbsqlc"
)

const (
	// readAgainAfter: two Prometheuses, or a person beside one, read once.
	readAgainAfter = 5 * time.Second
	// readTimeout is below Prometheus's patience of 10 s: what this daemon counts itself is
	// told also while Postgres is away.
	readTimeout = 5 * time.Second
	// tenantsRead and waitingRead bound what a scrape reads of the queue, tenantsShown the
	// labels that come of it.
	tenantsRead  = 200
	waitingRead  = 1000
	tenantsShown = 50
	// pendingRead is how far callbacks are counted.
	pendingRead = 10_000
	// eventsRead is what one statement counts, and eventPages how many a scrape has: what is
	// left is counted by the next one.
	eventsRead = 5000
	eventPages = 10
)

// Finding is what a daemon found around it.
type Finding struct {
	// Check is its stable code, Host whose daemon found it, Status as ok, warning, failed.
	Check, Host, Status string
}

// Findings gives those that rows know.
type Findings func(ctx context.Context) ([]Finding, error)

// whole reads what the rows say of all daemons together. Every daemon that leads tells the
// same, so it is to be read by max(), not sum().
type whole struct {
	cfg *Config

	mu       sync.Mutex
	at       time.Time
	read     []prometheus.Metric
	happened happened
}

func newWhole(cfg *Config) *whole { return &whole{cfg: cfg} }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	rowsReadable  = gauge("weir_rows_readable", "1 where this daemon could read the rows that its other metrics of the whole are made of.")
	queueWaiting  = gauge("weir_queue_waiting", "Transcodes that wait, by tenant and class (urgent: priority 0 to 2), up to 1000 of each tenant.", "tenant", "class")
	queueOldest   = gauge("weir_queue_oldest_seconds", "How long the longest of them has waited since it could be placed.", "tenant", "class")
	queuePlace    = gauge("weir_queue_placeable_seconds", "The longest such wait among tenants that are neither paused nor at their limit, nor bound to hosts of their own.")
	paused        = gauge("weir_placement_paused", "1 while an operator has paused placement.")
	slots         = gauge("weir_slots", "Slots of a host: used, free, draining, away (no lease, no Mist or no room).", "host", "state")
	hostAlive     = gauge("weir_host_alive", "1 while a host's lease runs.", "host")
	hostMist      = gauge("weir_host_mist_answers", "1 while a host's Mist answers.", "host")
	hostStoring   = gauge("weir_host_storing", "Transcodes whose files wait on a host to be stored.", "host")
	hostSpool     = gauge("weir_host_spool_room_bytes", "What is free on a host's spool beyond its reserve, as of its last renewal.", "host")
	transcodes    = prometheus.NewDesc("weir_transcodes_total", "Transcodes that were accepted, and that ended: succeeded, failed, cancelled; since this daemon looks.", []string{"tenant", "what"}, nil)
	failures      = prometheus.NewDesc("weir_failures_total", "Attempts that failed, by code, who can mend it, and what followed: retry, or the end.", []string{"code", "blame", "follows"}, nil)
	callbacks     = gauge("weir_callbacks_pending", "Callbacks that are not delivered yet, up to 10,000.")
	callbackAge   = gauge("weir_callbacks_oldest_seconds", "How old the oldest of them is.")
	deliveries    = gauge("weir_event_deliveries_pending", "Events that receivers have not been told yet, up to 10,000.")
	deliveryAge   = gauge("weir_event_deliveries_oldest_seconds", "How old the oldest of these is.")
	leads         = gauge("weir_leads", "Daemons that lead.")
	leader        = gauge("weir_leader", "1 while one of them is River's leader.")
	oldestTx      = gauge("weir_database_oldest_transaction_seconds", "How long the oldest open transaction has been, of those that the schema's owner may see.")
	heldTx        = gauge("weir_database_held_transactions", "For so many transactions nothing could be vacuumed.")
	tableDead     = gauge("weir_table_dead_rows", "Dead rows of a table, by Postgres's statistics.", "table")
	tableLive     = gauge("weir_table_live_rows", "Its live rows.", "table")
	historyBehind = gauge("weir_history_overdue_seconds", "For how long the oldest row of a history should have been removed.", "history")
	findings      = gauge("weir_doctor_findings", "What daemons found around them, by check and status.", "check", "host", "status")
)

// Describe implements prometheus.Collector.
func (w *whole) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range []*prometheus.Desc{
		rowsReadable, queueWaiting, queueOldest, queuePlace, paused, slots, hostAlive, hostMist, hostStoring, hostSpool, transcodes, failures,
		callbacks, callbackAge, deliveries, deliveryAge, leads, leader, oldestTx, heldTx, tableDead, tableLive, historyBehind, findings,
	} {
		to <- desc
	}
}

// Collect implements prometheus.Collector.
func (w *whole) Collect(to chan<- prometheus.Metric) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.at.IsZero() || time.Since(w.at) >= readAgainAfter {
		w.look()
		w.at = time.Now()
	}
	for _, metric := range w.read {
		to <- metric
	}
}

// look reads all of it anew; what can't be read is left out.
func (w *whole) look() {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	r := &reading{db: w.cfg.DB}
	readable := true
	for _, part := range []func(context.Context) error{
		r.queue, r.hosts, r.callbacks, r.leads, r.database,
		func(ctx context.Context) error { return r.history(ctx, w.cfg.Keep) },
		func(ctx context.Context) error { return w.happened.count(ctx, w.cfg.DB) },
		func(ctx context.Context) error { return r.findings(ctx, w.cfg.Findings) },
	} {
		if part(ctx) != nil { // weir_rows_readable says so; why, the daemon's log does all the time
			readable = false
		}
	}
	w.happened.tell(r)
	r.add(rowsReadable, number(readable))
	w.read = r.metrics
}

// reading is what one look brings.
type reading struct {
	db      *pgxpool.Pool
	metrics []prometheus.Metric
}

func (r *reading) add(desc *prometheus.Desc, value float64, labels ...string) {
	r.metrics = append(r.metrics, prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...))
}

// waits is a tenant's part of the queue, one class of it.
type waits struct {
	tenant, class string
	waiting       int64
	oldest        float64
}

func (r *reading) queue(ctx context.Context) error {
	placement, err := dbsqlc.New().PlacementGet(ctx, r.db)
	if err != nil {
		return fmt.Errorf("read the placement: %w", err)
	}
	rows, err := dbsqlc.New().MetricsQueue(ctx, r.db, dbsqlc.MetricsQueueParams{MostTenants: tenantsRead, PageSize: waitingRead})
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	r.add(paused, number(placement.PausedAt != nil))
	longest := 0.0
	list := make([]waits, len(rows))
	for i, row := range rows {
		class := "ordinary"
		if row.Urgent {
			class = "urgent"
		}
		list[i] = waits{row.Tenant, class, row.Waiting, row.OldestSeconds}
		if !row.Held {
			longest = max(longest, row.OldestSeconds)
		}
	}
	r.add(queuePlace, longest)
	for _, w := range shown(list) {
		r.add(queueWaiting, float64(w.waiting), w.tenant, w.class)
		r.add(queueOldest, w.oldest, w.tenant, w.class)
	}
	return nil
}

// shown are the tenants with the most that waits, by name, and all others as one.
func shown(list []waits) []waits {
	of := map[string]int64{}
	for _, w := range list {
		of[w.tenant] += w.waiting
	}
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) })
	named := map[string]bool{}
	for _, name := range names[:min(len(names), tenantsShown)] {
		named[name] = true
	}
	var all []waits
	rest := map[string]waits{}
	for _, w := range list {
		if named[w.tenant] {
			all = append(all, w)
			continue
		}
		sum := rest[w.class]
		rest[w.class] = waits{other, w.class, sum.waiting + w.waiting, max(sum.oldest, w.oldest)}
	}
	for _, w := range rest {
		all = append(all, w)
	}
	return all
}

func (r *reading) hosts(ctx context.Context) error {
	rows, err := dbsqlc.New().HostList(ctx, r.db)
	if err != nil {
		return fmt.Errorf("list hosts: %w", err)
	}
	for i := range rows {
		h := &rows[i].Host
		free := max(int64(h.Slots)-rows[i].Used, 0)
		state := "free"
		switch {
		case !rows[i].Alive || !h.Up || h.MistSilentFrom != nil || h.SpoolRoomBytes <= 0:
			state = "away"
		case h.Draining:
			state = "draining"
		}
		r.add(slots, float64(rows[i].Used), h.ID, "used")
		for _, each := range []string{"free", "draining", "away"} {
			value := int64(0)
			if each == state {
				value = free
			}
			r.add(slots, float64(value), h.ID, each)
		}
		r.add(hostAlive, number(rows[i].Alive), h.ID)
		r.add(hostMist, number(h.MistSilentFrom == nil), h.ID)
		r.add(hostStoring, float64(rows[i].Storing), h.ID)
		r.add(hostSpool, float64(h.SpoolRoomBytes), h.ID)
	}
	return nil
}

func (r *reading) callbacks(ctx context.Context) error {
	row, err := dbsqlc.New().MetricsCallbacks(ctx, r.db, pendingRead)
	if err != nil {
		return fmt.Errorf("read what is to be told: %w", err)
	}
	r.add(callbacks, float64(row.Pending))
	r.add(callbackAge, row.OldestSeconds)
	r.add(deliveries, float64(row.Deliveries))
	r.add(deliveryAge, row.OldestDeliverySeconds)
	return nil
}

func (r *reading) leads(ctx context.Context) error {
	row, err := dbsqlc.New().MetricsLeads(ctx, r.db)
	if err != nil {
		return fmt.Errorf("read who leads: %w", err)
	}
	r.add(leads, float64(row.Leads))
	r.add(leader, number(row.Leader))
	return nil
}

func (r *reading) database(ctx context.Context) error {
	row, err := dbsqlc.New().MetricsDatabase(ctx, r.db)
	if err != nil {
		return fmt.Errorf("read open transactions: %w", err)
	}
	r.add(oldestTx, row.OldestSeconds)
	r.add(heldTx, float64(row.Held))
	tables, err := dbsqlc.New().MetricsTables(ctx, r.db)
	if err != nil {
		return fmt.Errorf("read the statistics of tables: %w", err)
	}
	for _, table := range tables {
		r.add(tableDead, float64(table.Dead), table.Name)
		r.add(tableLive, float64(table.Live), table.Name)
	}
	return nil
}

func (r *reading) history(ctx context.Context, keep map[string]time.Duration) error {
	row, err := dbsqlc.New().MetricsHistory(ctx, r.db)
	if err != nil {
		return fmt.Errorf("read how old history is: %w", err)
	}
	for name, age := range map[string]float64{
		"transcodes": row.Transcodes, "triggers": row.Triggers, "events": row.Events, "callback_attempts": row.CallbackAttempts,
	} {
		overdue := 0.0
		if keep[name] > 0 {
			overdue = max(age-keep[name].Seconds(), 0)
		}
		r.add(historyBehind, overdue, name)
	}
	return nil
}

func (r *reading) findings(ctx context.Context, ask Findings) error {
	if ask == nil {
		return nil
	}
	found, err := ask(ctx)
	if err != nil {
		return fmt.Errorf("read what daemons found: %w", err)
	}
	count := map[Finding]float64{}
	for _, f := range found {
		count[f]++
	}
	for f, n := range count {
		r.add(findings, n, f.Check, f.Host, f.Status)
	}
	return nil
}
