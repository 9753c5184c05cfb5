// Package thousand measures a fleet of a thousand hosts on one Postgres: their real loops, with
// media, Mist and storage that cost nothing, many to a process.
package thousand

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"weir/internal/devstack"
	"weir/internal/devstack/pooler"
	"weir/jobs"
	"weir/test/bench/report"
)

const (
	// hostsEach are the hosts of one process, which die together.
	hostsEach = 100
	// rounds is how often each figure is taken, of what can be taken again.
	rounds = 5
	// limit bounds all of it, some 18 minutes where nothing else runs; stopMost the end.
	limit    = 30 * time.Minute
	stopMost = 30 * time.Second
)

// fleet is a Postgres, a PgBouncer before it, and daemons that lead. Hosts come by
// processes.
type fleet struct {
	*report.Report

	folder     *devstack.Folder
	spools     *devstack.Folder // in memory: that hosts make and remove a dozen files for each lifecycle is not what is measured
	postgres   *devstack.Postgres
	pooler     *pooler.Pooler
	keeps      bool // it keeps prepared statements
	pool       *pgxpool.Pool
	transcodes *jobs.Transcodes
	web        *httptest.Server
	gate       chan struct{} // each that comes out lets one source be there that is held; closed: all are
	carried    int           // a second, of a steady stream
	processes  []*hostProcess
	asked      atomic.Int64
	calledOff  int // of what was asked for
	closers    []func(context.Context) error
}

// Measure measures what so many hosts cost that poll, and where LISTEN is the cheaper one.
func Measure(ctx context.Context, r *report.Report, hosts int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("a fleet was not measured within %s: the machine is too busy", limit))
	defer cancel()
	if err := withServers(ctx, r, func(f *fleet) error { return f.large(ctx, hosts) }); err != nil {
		return err
	}
	for _, polls := range []bool{false, true} {
		if err := withServers(ctx, r, func(f *fleet) error { return f.profile(ctx, polls, hosts) }); err != nil {
			return err
		}
	}
	return nil
}

// withServers measures on servers of its own.
func withServers(ctx context.Context, r *report.Report, measure func(*fleet) error) (err error) {
	f := &fleet{Report: r, gate: make(chan struct{})}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMost)
		defer cancel()
		for i := range f.closers {
			err = errors.Join(err, f.closers[len(f.closers)-1-i](ctx))
		}
	}()
	if err := f.serve(ctx); err != nil {
		return err
	}
	if err := f.lead(ctx); err != nil {
		return err
	}
	return measure(f)
}

func (f *fleet) closes(end func() error) {
	f.closers = append(f.closers, func(context.Context) error { return end() })
}
