package metrics

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// happened counts what the events tell, from when it first looked.
type happened struct {
	began bool
	// last is the last event that is counted.
	last       int64
	tenants    bounded
	transcodes map[[2]string]float64 // by tenant and what
	failures   map[[3]string]float64 // by code, whose fault it is, and what followed
}

// What the events of a transcode are counted as.
var ends = map[string]string{
	"transcode.succeeded": "succeeded", "transcode.failed": "failed", "transcode.cancelled": "cancelled",
}

// The two ways a failed attempt goes on.
const (
	followsRetry = "retry"
	followsEnd   = "end"
)

// count reads what has happened since the last time.
func (h *happened) count(ctx context.Context, db *pgxpool.Pool) error {
	q := dbsqlc.New()
	settled, err := q.MetricsEventsFrom(ctx, db)
	if err != nil {
		return fmt.Errorf("read how far events are settled: %w", err)
	}
	if !h.began {
		h.began, h.last = true, settled
		h.transcodes, h.failures = map[[2]string]float64{}, map[[3]string]float64{}
	}
	for range eventPages {
		rows, err := q.MetricsEvents(ctx, db, dbsqlc.MetricsEventsParams{After: h.last, Settled: settled, PageSize: eventsRead})
		if err != nil {
			return fmt.Errorf("count events: %w", err)
		}
		seen := int64(0)
		for i := range rows {
			h.add(&rows[i])
			h.last = max(h.last, rows[i].Last)
			seen += rows[i].Happened
		}
		if seen < eventsRead {
			return nil
		}
	}
	return nil
}

func (h *happened) add(e *dbsqlc.MetricsEventsRow) {
	if !strings.HasPrefix(e.Type, "transcode.") {
		return
	}
	what, ended := ends[e.Type]
	if e.Type == "transcode.queued" && !e.Tried {
		what = "accepted"
	}
	if what != "" {
		h.transcodes[[2]string{h.tenants.name(e.Tenant), what}] += float64(e.Happened)
	}
	switch {
	case e.ErrorCode == "" || e.ErrorCode == jobs.CodeCancelled || !e.Tried:
	case ended && what == "failed":
		h.failures[failure(e.ErrorCode, followsEnd)] += float64(e.Happened)
	case e.Type == "transcode.queued":
		h.failures[failure(e.ErrorCode, followsRetry)] += float64(e.Happened)
	}
}

func (h *happened) tell(r *reading) {
	if !h.began {
		return
	}
	for labels, n := range h.transcodes {
		r.metrics = append(r.metrics, prometheus.MustNewConstMetric(transcodes, prometheus.CounterValue, n, labels[:]...))
	}
	for labels, n := range h.failures {
		r.metrics = append(r.metrics, prometheus.MustNewConstMetric(failures, prometheus.CounterValue, n, labels[:]...))
	}
}

// failure are the labels of a failed attempt. A code that is not in the table is a defect.
func failure(code, follows string) [3]string {
	kind := jobs.KindOf(code)
	return [3]string{kind.Code, string(kind.Blame), follows}
}
