package thousand

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"

	"weir/db"
	"weir/internal/devstack"
	"weir/internal/devstack/pooler"
	loops "weir/internal/fleet"
	"weir/jobs"
	"weir/secret"
)

const (
	// leads daemons lead beside the hosts, on connections of their own.
	leads = 2
	// pooledServers is PgBouncer's: the most connections that the hosts have to Postgres.
	pooledServers = 60
	// serverConnections is what Postgres takes: hosts that LISTEN have up to five each.
	serverConnections = 2200
)

// serve starts the servers.
func (f *fleet) serve(ctx context.Context) (err error) {
	if f.folder, err = devstack.NewFolder(); err != nil {
		return err
	}
	f.closes(f.folder.Close)
	if f.spools, err = devstack.NewFolderInMemory(); err != nil {
		return err
	}
	f.closes(f.spools.Close)
	dir, err := f.folder.Make("postgres")
	if err != nil {
		return err
	}
	if f.keeps, err = pooler.Keeps(ctx); err != nil {
		return err
	}
	settings := append(devstack.Durable(), "shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on",
		"shared_buffers=256MB", "max_wal_size=4GB", "max_connections="+strconv.Itoa(serverConnections))
	if f.keeps { // as docs/operations.md says
		settings = append(settings, "plan_cache_mode=force_generic_plan", "enable_seqscan=off", "jit=off")
	}
	if f.postgres, err = devstack.StartPostgres(ctx, &devstack.PostgresConfig{Dir: dir, Settings: settings}); err != nil {
		return err
	}
	f.closes(f.postgres.Close)
	if dir, err = f.folder.Make("pooler"); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // PgBouncer is another user there
		return fmt.Errorf("open the pooler's folder: %w", err)
	}
	if f.pooler, err = pooler.Start(ctx, &pooler.Config{Dir: dir, Database: f.postgres.URL, Servers: pooledServers}); err != nil {
		return err
	}
	f.closes(f.pooler.Close)
	if f.pool, err = db.Open(ctx, string(f.postgres.URL), askers+1); err != nil {
		return err
	}
	f.closes(func() error { f.pool.Close(); return nil })
	if _, err := db.Migrate(ctx, f.pool); err != nil {
		return err
	}
	if _, err := f.pool.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
		return fmt.Errorf("count statements: %w", err)
	}
	f.web = httptest.NewServer(http.HandlerFunc(f.answer))
	f.closes(func() error { f.web.CloseClientConnections(); f.web.Close(); return nil })
	return nil
}

// through is the database through the PgBouncer, as well as that can.
func (f *fleet) through() (secret.Secret, error) {
	if f.keeps {
		return f.pooler.KeepingURL(f.postgres.URL)
	}
	return f.pooler.URL(f.postgres.URL)
}

// answer takes callbacks, and is the gate.
func (f *fleet) answer(_ http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		return
	}
	select {
	case <-f.gate:
	case <-r.Context().Done():
	}
}

// lead starts the daemons that lead: they LISTEN, whatever hosts do.
func (f *fleet) lead(ctx context.Context) error {
	sealer, err := hostsSealer()
	if err != nil {
		return err
	}
	inserter, err := jobs.NewInserter(f.pool)
	if err != nil {
		return err
	}
	f.transcodes = &jobs.Transcodes{DB: f.pool, River: inserter, Sealer: sealer}
	cfg := &loops.Config{Database: f.postgres.URL, Sealer: sealer, Log: slog.New(slog.DiscardHandler)}
	for i := range leads {
		d, err := cfg.Lead(ctx, fmt.Sprintf("lead-%d", i))
		if err != nil {
			return err
		}
		f.closers = append(f.closers, d.Stop)
	}
	return nil
}
