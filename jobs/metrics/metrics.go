// Package metrics counts what Weir does, for Prometheus: what happens in this daemon, told by
// hooks where it happens, and what the rows say of the whole, read at a scrape by daemons
// that lead. Labels are bounded: hosts are those of the rows, codes those of the failure
// table, tenants and Broadcasters a few dozen and "other"; no transcode's id and no URL is one.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Config is what a daemon's metrics are made of.
type Config struct {
	DB      *pgxpool.Pool
	Version string
	// Works says whether the daemon works jobs.
	Works func() bool
	// Leads: this daemon reads what the rows say of the whole.
	Leads bool
	// Keep says for how long each history is kept, by its name; 0: for ever.
	Keep map[string]time.Duration
	// Disks are what this daemon's files lie on; nil: it has none.
	Disks func() []Disk
	// Findings are what daemons found when they looked at what is around them; nil: nobody does.
	Findings Findings
}

// Metrics are a daemon's own: its registry is nobody else's.
type Metrics struct {
	registry *prometheus.Registry

	steps      *prometheus.HistogramVec
	storageOps *prometheus.CounterVec
	storage    *prometheus.CounterVec
	mist       *prometheus.HistogramVec
	mistErrors *prometheus.CounterVec
	behind     *prometheus.HistogramVec
	refusals   *prometheus.CounterVec
	triggers   *prometheus.CounterVec
	missed     *prometheus.CounterVec
	renewals   *prometheus.CounterVec
	deliveries *prometheus.CounterVec
	lag        prometheus.Histogram

	broadcasters, triggerNames bounded
}

// New returns the metrics of a daemon.
func New(cfg *Config) *Metrics {
	m := local()
	m.registry.MustRegister(
		m.steps, m.storageOps, m.storage, m.mist, m.mistErrors, m.behind, m.refusals, m.triggers, m.missed, m.renewals, m.deliveries, m.lag,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_build_info", Help: "1; its labels say which build this daemon is.",
			ConstLabels: prometheus.Labels{"version": cfg.Version, "go": runtime.Version()},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "weir_works", Help: "1 where this daemon works jobs; 0: it waits for what it depends on.",
		}, func() float64 { return number(cfg.Works != nil && cfg.Works()) }),
		&pool{cfg.DB},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	if cfg.Disks != nil {
		m.registry.MustRegister(&disks{cfg.Disks})
	}
	if cfg.Leads {
		m.registry.MustRegister(newWhole(cfg))
	}
	return m
}

// Handler answers scrapes. It goes on where something can't be had: the rest is worth having
// most while something is broken.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

func number(so bool) float64 {
	if so {
		return 1
	}
	return 0
}
