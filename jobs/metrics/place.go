package metrics

import (
	"net/url"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/prometheus/client_golang/prometheus"
)

// hostOf is the host of an address: what else stands in it may be a secret.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "unknown"
	}
	return u.Host
}

// Disk is what files of one kind lie on.
type Disk struct {
	// Name is spool or shm.
	Name       string
	Free, Size int64
}

type disks struct{ look func() []Disk }

var (
	diskFree = prometheus.NewDesc("weir_disk_free_bytes", "What is free for the spool, and for Mist's shared memory (shm).", []string{"disk"}, nil)
	diskSize = prometheus.NewDesc("weir_disk_size_bytes", "How large it is.", []string{"disk"}, nil)
)

// Describe implements prometheus.Collector.
func (d *disks) Describe(to chan<- *prometheus.Desc) { to <- diskFree; to <- diskSize }

// Collect implements prometheus.Collector.
func (d *disks) Collect(to chan<- prometheus.Metric) {
	for _, disk := range d.look() {
		to <- prometheus.MustNewConstMetric(diskFree, prometheus.GaugeValue, float64(disk.Free), disk.Name)
		to <- prometheus.MustNewConstMetric(diskSize, prometheus.GaugeValue, float64(disk.Size), disk.Name)
	}
}

// pool is this daemon's connections to Postgres.
type pool struct{ db *pgxpool.Pool }

var (
	poolConns = prometheus.NewDesc("weir_pool_connections", "Connections to Postgres: acquired, idle, and being made (constructing).", []string{"state"}, nil)
	poolMost  = prometheus.NewDesc("weir_pool_connections_max", "The most that there may be (WEIR_DATABASE_MAX_CONNS).", nil, nil)
	poolWaits = prometheus.NewDesc("weir_pool_waits_total", "How often somebody had to wait for a connection.", nil, nil)
	poolWait  = prometheus.NewDesc("weir_pool_wait_seconds_total", "How long, all together.", nil, nil)
)

// Describe implements prometheus.Collector.
func (p *pool) Describe(to chan<- *prometheus.Desc) {
	to <- poolConns
	to <- poolMost
	to <- poolWaits
	to <- poolWait
}

// Collect implements prometheus.Collector.
func (p *pool) Collect(to chan<- prometheus.Metric) {
	is := p.db.Stat()
	for state, conns := range map[string]int32{"acquired": is.AcquiredConns(), "idle": is.IdleConns(), "constructing": is.ConstructingConns()} {
		to <- prometheus.MustNewConstMetric(poolConns, prometheus.GaugeValue, float64(conns), state)
	}
	to <- prometheus.MustNewConstMetric(poolMost, prometheus.GaugeValue, float64(is.MaxConns()))
	to <- prometheus.MustNewConstMetric(poolWaits, prometheus.CounterValue, float64(is.EmptyAcquireCount()))
	to <- prometheus.MustNewConstMetric(poolWait, prometheus.CounterValue, is.EmptyAcquireWaitTime().Seconds())
}
