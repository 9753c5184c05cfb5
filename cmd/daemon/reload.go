package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"

	"weir/api"
	"weir/cmd/daemon/systemd"
	"weir/config"
	"weir/jobs/trace"
	"weir/secret"
	"weir/storage/dial"
)

// texts are settings that have an inside, read.
type texts struct {
	keys     []secret.Key
	tokens   *api.Tokens // nil: it does not lead
	networks []dial.Network
}

// read is what package config can't check: texts whose form other packages own.
func read(cfg *config.Config) (*texts, error) {
	var t texts
	var errs [3]error
	t.keys, errs[0] = secret.ParseKeys(string(cfg.SecretKey))
	if cfg.Control {
		t.tokens, errs[1] = api.ParseTokens(string(cfg.APITokens))
	}
	if t.networks, errs[2] = dial.ParseNetworks(cfg.AllowedNetworks); errs[2] != nil {
		errs[2] = fmt.Errorf("WEIR_ALLOWED_NETWORKS: %w", errs[2])
	}
	return &t, errors.Join(errs[:]...)
}

// front is the API's handler, in whose place another may come.
type front struct{ handler atomic.Pointer[http.Handler] }

func (f *front) set(handler http.Handler) { f.handler.Store(&handler) }

// ServeHTTP implements http.Handler.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*f.handler.Load()).ServeHTTP(w, r)
}

// reloads takes settings over at each SIGHUP, until ctx ends.
func (d *daemon) reloads(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-d.around.hangups:
		}
		d.tell(ctx, d.around.service.Reloading())
		if err := d.reload(ctx); err != nil {
			d.log.ErrorContext(ctx, "settings not reloaded", "error", err)
		}
		d.tell(ctx, d.around.service.Ready(d.status()))
	}
}

// reload takes over what may change while a daemon runs, all of it or, where something
// is wrong, nothing.
func (d *daemon) reload(ctx context.Context) error {
	next, err := d.around.load()
	if err != nil {
		return err
	}
	t, err := read(next)
	if err != nil {
		return err
	}
	level, err := next.Level()
	if err != nil {
		return err
	}
	var handler http.Handler
	if d.served != nil && t.tokens != nil {
		served := *d.served
		served.Tokens, served.Rate, served.FailedAuth = t.tokens, next.APIRate, next.APIFailedAuth
		if handler, err = api.New(&served); err != nil {
			return err
		}
	}
	var taken, others []string
	for _, setting := range config.Changed(d.current, next) {
		if setting.Reload {
			taken = append(taken, setting.Name)
		}
	}
	// What was changed once and not taken over is told of again: it is still to be done.
	for _, setting := range config.Changed(d.cfg, next) {
		if !setting.Reload {
			others = append(others, setting.Name)
		}
	}
	d.current = next
	d.level.Set(level)
	d.guard.Allow(t.networks)
	if handler != nil {
		d.front.set(handler)
	}
	if d.retention != nil {
		d.retention.Change(keep(next))
	}
	d.log.InfoContext(ctx, "settings reloaded", "changed", taken)
	if len(others) > 0 {
		d.log.WarnContext(ctx, "settings need a restart", "settings", others)
	}
	return nil
}

// surroundings are what a daemon has of the process that it is.
type surroundings struct {
	logs    io.Writer
	service *systemd.Service
	hangups <-chan os.Signal
	// load reads the settings again.
	load func() (*config.Config, error)
}

// tell logs what could not be told to systemd: nothing depends on it.
func (d *daemon) tell(ctx context.Context, err error) {
	if err != nil {
		d.log.WarnContext(ctx, "systemd is not reached", "error", err)
	}
}

// logger writes to w from a level on that may change.
func logger(cfg *config.Config, level *slog.LevelVar, w io.Writer) *slog.Logger {
	first, _ := cfg.Level() // checked by config.Load
	level.Set(first)
	options := &slog.HandlerOptions{Level: level}
	if cfg.LogFormat == "text" {
		return slog.New(trace.Lines(slog.NewTextHandler(w, options)))
	}
	return slog.New(trace.Lines(slog.NewJSONHandler(w, options)))
}
