package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"weir/config"
	"weir/config/buildinfo"
	"weir/jobs/doctor"
	"weir/jobs/metrics"
	"weir/jobs/trace"
)

const (
	// tracesTo is OpenTelemetry's own setting; without it there are no traces. The exporter reads
	// it, and those beside it, by itself.
	tracesTo = "OTEL_EXPORTER_OTLP_ENDPOINT"
	// tracesFlush is how long the last spans have to go out.
	tracesFlush = 5 * time.Second
	// complainEvery: an exporter without its receiver fails every five seconds.
	complainEvery = time.Minute
	// scrapeTimeout is Prometheus's own default.
	scrapeTimeout = 10 * time.Second
	// day is what the settings count history in.
	day = 24 * time.Hour
)

// openTraces has spans go to where OTEL_EXPORTER_OTLP_ENDPOINT says, until flush.
func (d *daemon) openTraces(ctx context.Context) (flush func(), err error) {
	d.trace = &trace.Tracer{Took: d.metrics.Took}
	to := os.Getenv(tracesTo)
	if to == "" {
		return func() {}, nil
	}
	if u, err := url.Parse(to); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New(tracesTo + " is no URL of an OTLP/HTTP receiver: give one as http://127.0.0.1:4318")
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", tracesTo, err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "weir-daemon"), attribute.String("service.version", buildinfo.Version()),
		attribute.String("service.instance.id", d.boot.String()), attribute.String("host.name", d.cfg.HostID),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err)
	}
	otel.SetErrorHandler(complain(ctx, d.log))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about), sdk.WithIDGenerator(trace.IDs{}),
		sdk.WithSampler(sdk.AlwaysSample())) // a transcode is a few dozen spans; to take fewer is the collector's
	d.trace.Spans = provider.Tracer("weir")
	return func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tracesFlush)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil {
			d.log.WarnContext(ctx, "the last spans were not sent", "error", err)
		}
	}, nil
}

// complain logs what OpenTelemetry can't do, now and then: no transcode waits for it.
func complain(ctx context.Context, log *slog.Logger) otel.ErrorHandlerFunc {
	var last atomic.Int64
	return func(err error) {
		now, before := time.Now().Unix(), last.Load()
		if now-before >= int64(complainEvery.Seconds()) && last.CompareAndSwap(before, now) {
			log.WarnContext(ctx, "traces are not sent", "error", err)
		}
	}
}

// newMetrics are those of this daemon.
func (d *daemon) newMetrics() *metrics.Metrics {
	cfg := &metrics.Config{
		DB: d.pool, Version: buildinfo.Version(), Works: d.works.Load, Leads: d.cfg.Control,
		Keep: map[string]time.Duration{
			"transcodes": time.Duration(d.cfg.KeepTranscodes) * day, "triggers": time.Duration(d.cfg.KeepTriggers) * day,
			"events": time.Duration(d.cfg.KeepEvents) * day, "callback_attempts": time.Duration(d.cfg.KeepCallbackAttempts) * day,
		},
	}
	if d.cfg.Worker {
		cfg.Disks = func() []metrics.Disk { return disks(d.cfg) }
	}
	cfg.Findings = func(ctx context.Context) ([]metrics.Finding, error) { return findings(ctx, d.pool) }
	return metrics.New(cfg)
}

// findings are what daemons found last. One that several subjects have is as bad as the
// worst of them.
func findings(ctx context.Context, pool *pgxpool.Pool) ([]metrics.Finding, error) {
	latest, err := doctor.Latest(ctx, pool)
	if err != nil {
		return nil, err
	}
	words := map[doctor.Verdict]string{doctor.OK: "ok", doctor.Unknown: "unknown", doctor.Warn: "warning", doctor.Fail: "failed"}
	order := []doctor.Verdict{doctor.OK, doctor.Unknown, doctor.Warn, doctor.Fail}
	type check struct {
		code   doctor.Code
		daemon string
	}
	worst := map[check]doctor.Verdict{}
	for i := range latest {
		of := check{latest[i].Code, latest[i].Daemon}
		if slices.Index(order, latest[i].Verdict) >= slices.Index(order, worst[of]) {
			worst[of] = latest[i].Verdict
		}
	}
	found := make([]metrics.Finding, 0, len(worst))
	for of, verdict := range worst {
		found = append(found, metrics.Finding{Check: string(of.code), Host: of.daemon, Status: words[verdict]})
	}
	return found, nil
}

func disks(cfg *config.Config) (found []metrics.Disk) {
	for _, at := range []struct{ name, path string }{{"spool", cfg.SpoolDir}, {"shm", cfg.ShmDir}} {
		var stat unix.Statfs_t
		if unix.Statfs(at.path, &stat) == nil { // one that is not there has no room to tell of
			found = append(found, metrics.Disk{
				Name: at.name, Free: int64(stat.Bavail) * stat.Bsize, Size: int64(stat.Blocks) * stat.Bsize,
			})
		}
	}
	return found
}

// startMetrics answers scrapes until ctx ends.
func (d *daemon) startMetrics(ctx context.Context, group *errgroup.Group, on net.Listener) {
	if on == nil {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", d.metrics.Handler())
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: scrapeTimeout, WriteTimeout: 2 * scrapeTimeout,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug),
	}
	group.Go(func() error {
		if err := server.Serve(on); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve metrics on %s: %w", on.Addr(), err)
		}
		return nil
	})
	group.Go(func() error {
		<-ctx.Done()
		_ = server.Close() // a scrape that is cut is made again
		return nil
	})
}

// withCaller lets a request's own trace be linked with that of its transcode.
func withCaller(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(trace.Caller(r.Context(), r.Header.Get("Traceparent"))))
	})
}
