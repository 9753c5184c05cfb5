package metrics

import (
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"weir/jobs"
	"weir/jobs/trace"
	"weir/mist"
	"weir/storage"
	"weir/studio"
)

const (
	// labelsMost is how many values a label has that others give us; more are "other".
	labelsMost = 32
	other      = "other"
	// late is when a renewal of a lease is: one was missed before it.
	late = 2 * jobs.RenewEvery
)

// The outcomes of what is counted.
const (
	ok     = "ok"
	failed = "failed"
)

// stepBuckets reach from a small file's probe to a transcode of hours.
var stepBuckets = []float64{0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 14400}

// lagBuckets: Studio takes a minute of silence for lost, and a delivery is tried for a day.
var lagBuckets = []float64{0.1, 0.5, 1, 5, 15, 60, 300, 3600, 21600, 86400}

// behindBuckets are around what a Broadcaster has of a stream: some segments.
var behindBuckets = []float64{0.5, 2, 5, 10, 30, 60, 300}

// mistBuckets: Mist answers in milliseconds, and is given up after ten seconds.
var mistBuckets = []float64{0.001, 0.005, 0.025, 0.1, 0.5, 2, 5, 10}

func local() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &Metrics{
		registry:   prometheus.NewRegistry(),
		steps:      histogram("weir_step_seconds", "How long a step of a transcode took; of place: how long it waited.", stepBuckets, "step", "outcome"),
		storageOps: counter("weir_storage_operations_total", "Operations on storages and sources, by what came of them: ok, or a code.", "operation", "code"),
		storage:    counter("weir_storage_bytes_total", "Bytes that were moved by operations that are done.", "operation"),
		mist:       histogram("weir_mist_request_seconds", "How long Mist took to answer a command.", mistBuckets, "command"),
		mistErrors: counter("weir_mist_errors_total", "Commands that Mist did not take, by the kind of error.", "command", "kind"),
		behind: histogram("weir_broadcaster_behind_seconds",
			"How much media a Broadcaster had that had not come back, at each report of a process.", behindBuckets, "broadcaster"),
		refusals:   counter("weir_broadcaster_refusals_total", "Attempts in which a Broadcaster refused a segment, or had no room (full).", "broadcaster", "what"),
		triggers:   counter("weir_triggers_total", "Triggers that Mist posted, by what was made of them.", "trigger", "verdict"),
		missed:     counter("weir_triggers_missed_total", "What a look at Mist or at a log found before its trigger told of it.", "trigger"),
		renewals:   counter("weir_lease_renewals_total", "Renewals of this host's lease: ok, late, failed.", "result"),
		deliveries: counter("weir_callback_deliveries_total", "Tries to deliver callbacks, by what came of them.", "fate"),
		lag: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "weir_callback_lag_seconds", Help: "How long after its outcome a callback was delivered.", Buckets: lagBuckets,
		}),
	}
	// What may never happen is there at 0, or the first time would be no increase.
	for _, result := range []string{ok, "late", failed} {
		m.renewals.WithLabelValues(result)
	}
	for _, fate := range []studio.Fate{studio.Delivered, studio.Refused, studio.Retry} {
		m.deliveries.WithLabelValues(string(fate))
	}
	for _, trigger := range []string{string(mist.TriggerLiveTrackList), string(mist.TriggerRecordingEnd)} {
		m.missed.WithLabelValues(trigger)
	}
	return m
}

// Took is told of steps (trace.Tracer).
func (m *Metrics) Took(step trace.Step, took time.Duration, bad bool) {
	outcome := ok
	if bad {
		outcome = failed
	}
	m.steps.WithLabelValues(string(step), outcome).Observe(took.Seconds())
}

// Stored is told of operations on storages (storage.Config).
func (m *Metrics) Stored(operation string, bytes int64, code storage.Code) {
	if code == "" {
		m.storageOps.WithLabelValues(operation, ok).Inc()
		m.storage.WithLabelValues(operation).Add(float64(bytes))
		return
	}
	m.storageOps.WithLabelValues(operation, string(code)).Inc()
}

// Asked is told of commands to Mist (mist.Config).
func (m *Metrics) Asked(command string, took time.Duration, kind error) {
	m.mist.WithLabelValues(command).Observe(took.Seconds())
	if kind != nil {
		m.mistErrors.WithLabelValues(command, kindOf(kind)).Inc()
	}
}

func kindOf(err error) string {
	for name, kind := range map[string]error{
		"unavailable": mist.ErrUnavailable, "auth": mist.ErrAuth, "unexpected": mist.ErrUnexpected,
		"refused": mist.ErrRefused, "not_started": mist.ErrPushNotStarted, "invalid": mist.ErrInvalid,
	} {
		if errors.Is(err, kind) {
			return name
		}
	}
	return other
}

// Seen is told of triggers (triggers.Config).
func (m *Metrics) Seen(trigger, verdict string) {
	m.triggers.WithLabelValues(m.triggerNames.name(trigger), verdict).Inc()
}

// Told is told of deliveries of callbacks (control.Control).
func (m *Metrics) Told(fate studio.Fate, lag time.Duration) {
	m.deliveries.WithLabelValues(string(fate)).Inc()
	if fate == studio.Delivered {
		m.lag.Observe(lag.Seconds())
	}
}

// Renewed implements host.Meter.
func (m *Metrics) Renewed(after time.Duration, err error) {
	result := ok
	switch {
	case err != nil:
		result = failed
	case after > late:
		result = "late"
	}
	m.renewals.WithLabelValues(result).Inc()
}

// Missed implements host.Meter.
func (m *Metrics) Missed(trigger string) { m.missed.WithLabelValues(trigger).Inc() }

// Behind implements host.Meter.
func (m *Metrics) Behind(broadcaster string, media time.Duration) {
	m.behind.WithLabelValues(m.broadcasters.name(hostOf(broadcaster))).Observe(media.Seconds())
}

// Refused implements host.Meter.
func (m *Metrics) Refused(broadcaster, what string) {
	m.refusals.WithLabelValues(m.broadcasters.name(hostOf(broadcaster)), what).Inc()
}

// bounded lets so many values through, those that came first, and calls all others "other".
type bounded struct {
	mu    sync.Mutex
	names []string
}

func (b *bounded) name(value string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Contains(b.names, value) {
		return value
	}
	if len(b.names) >= labelsMost {
		return other
	}
	b.names = append(b.names, value)
	return value
}
