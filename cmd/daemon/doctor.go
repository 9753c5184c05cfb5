package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/spf13/cobra"

	"weir/config"
	"weir/jobs/control"
	"weir/jobs/doctor"
	"weir/jobs/host/checkup"
	"weir/media"
	"weir/mist"
	"weir/mist/broadcaster"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial"
	"weir/studio"
)

// errUnwell: `weir-daemon doctor` found something that fails, and said so.
var errUnwell = errors.New("something fails")

// doctorCommand looks at what is around a daemon with these settings, without one that runs.
func doctorCommand(given func() (*config.Given, error), out io.Writer) *cobra.Command {
	var only string
	var asJSON bool
	c := &cobra.Command{
		Use: "doctor", Short: "Look at what is around this daemon, also where none runs", Args: cobra.NoArgs,
		PreRunE: func(*cobra.Command, []string) error {
			if _, err := doctor.ParseOnly(only); err != nil {
				return fmt.Errorf("--only: %w", err)
			}
			return nil
		},
		RunE: func(*cobra.Command, []string) error {
			from, err := given()
			if err != nil {
				return &settingsError{err}
			}
			cfg, err := from.Load()
			if err != nil {
				return &settingsError{err}
			}
			if err := runDoctor(untilSignal(), cfg, only, asJSON, out); err != nil {
				return &failed{err}
			}
			return nil
		},
	}
	c.Flags().StringVar(&only, "only", "", "checks, by commas, as store.*,mist.api")
	c.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return c
}

// runDoctor is `weir-daemon doctor`: it looks at what is around this daemon, without rows
// that ask for it, also where none runs.
func runDoctor(ctx context.Context, cfg *config.Config, only string, asJSON bool, out io.Writer) error {
	patterns, err := doctor.ParseOnly(only)
	if err != nil {
		return err
	}
	keys, err := secret.ParseKeys(string(cfg.SecretKey))
	if err != nil {
		return err
	}
	sealer, err := secret.NewSealer(keys...)
	if err != nil {
		return fmt.Errorf("WEIR_SECRET_KEY: %w", err)
	}
	pool, err := openDatabase(ctx, cfg)
	if err != nil {
		return err
	}
	defer pool.Close()
	networks, err := dial.ParseNetworks(cfg.AllowedNetworks)
	if err != nil {
		return fmt.Errorf("WEIR_ALLOWED_NETWORKS: %w", err)
	}
	d := &daemon{cfg: cfg, pool: pool, sealer: sealer, guard: &dial.Guard{Allowed: networks}}
	d.guard.Own = d.ownPorts()
	checks := append(doctor.ConnectionChecks(pool), doctor.DatabaseChecks(pool)...)
	if cfg.Worker {
		of, err := d.checkup(&net.TCPAddr{}, cfg.SpoolDir)
		if err != nil {
			return err
		}
		checks = append(checks, of.Checks()...)
	}
	if cfg.Control {
		leads := &control.Control{DB: pool, Studio: studio.New(&studio.Config{Guard: d.guard})}
		defer leads.Studio.Close()
		checks = append(checks, leads.Checks()...)
	}
	findings, _ := doctor.Run(ctx, cfg.HostID, doctor.Order{Only: patterns}, checks...)
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(doctor.List{Worst: doctor.Worst(findings), Findings: findings})
	} else {
		err = doctor.Print(out, findings)
	}
	if err == nil && doctor.Worst(findings) == doctor.Fail {
		err = errUnwell
	}
	return err
}

// checkup is what is around this host. listens is where the triggers come to; without a
// port it is what the settings say.
func (d *daemon) checkup(listens net.Addr, spool string) (*checkup.Host, error) {
	address := d.cfg.TriggerListen
	if tcp, ok := listens.(*net.TCPAddr); ok && tcp.Port != 0 {
		address = tcp.String()
	}
	client, err := mist.New(&mist.Config{URL: d.cfg.MistAPI, Username: d.cfg.MistUsername, Password: d.cfg.MistPassword})
	if err != nil {
		return nil, fmt.Errorf("WEIR_MIST_API: %w", err)
	}
	objects, err := storage.New(d.storage())
	if err != nil {
		return nil, err
	}
	of := &checkup.Host{
		DB: d.pool, Mist: &mist.Engine{Client: client}, Media: &media.Tools{FFmpeg: d.cfg.FFmpeg, FFprobe: d.cfg.FFprobe},
		Storage: objects, Sealer: d.sealer, TriggerURL: "http://" + address + triggerPath + d.cfg.HostID,
		Program:   func(ctx context.Context) (string, error) { return mist.CheckRuns(ctx, d.cfg.MistBinDir) },
		Broadcast: broadcast, Spool: spool, ShmDir: d.cfg.ShmDir, SpoolReserve: d.cfg.SpoolReserve,
		Broadcasters: d.cfg.Broadcasters, LivepeerAPI: d.cfg.LivepeerAPI,
	}
	if d.cfg.LivepeerToken != "" {
		of.Livepeer = func(ctx context.Context, client *http.Client) (checkup.Session, error) {
			session, err := broadcaster.Ask(ctx, client, d.cfg.LivepeerAPI, d.cfg.LivepeerToken)
			if err != nil {
				return checkup.Session{}, err
			}
			return checkup.Session{
				Addresses: session.Addresses,
				Send: func(ctx context.Context, client *http.Client, address string) (string, error) {
					return cameBack(session.Try(ctx, client, address))
				},
				End: func(ctx context.Context, client *http.Client) error {
					return session.End(ctx, client, d.cfg.LivepeerAPI, d.cfg.LivepeerToken)
				},
			}, nil
		}
	}
	return of, nil
}

func broadcast(ctx context.Context, client *http.Client, address string) (string, error) {
	return cameBack(broadcaster.Try(ctx, client, address))
}

func cameBack(answer broadcaster.Answer, err error) (string, error) {
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d frames came back in %s", answer.Frames, answer.Took.Round(time.Millisecond)), nil
}

// examiner is this daemon's part in examinations.
func (d *daemon) examiner(listens net.Addr) (*doctor.Examiner, error) {
	e := &doctor.Examiner{DB: d.pool, HostID: d.cfg.HostID}
	if d.host != nil {
		of, err := d.checkup(listens, d.host.Spool)
		if err != nil {
			return nil, err
		}
		e.Host = append(doctor.ConnectionChecks(d.pool), of.Checks()...)
		d.cheap = of.Checks()
	}
	if d.cfg.Control {
		e.Control = append(doctor.ConnectionChecks(d.pool), d.leads.Checks()...)
	}
	return e, nil
}

// cheapEvery is how old what /readyz says of a host's own things may be: who asks does so
// every second, and ffmpeg is not started for that.
const cheapEvery = 30 * time.Second

// readiness keeps the cheap checks' last findings.
type readiness struct {
	mu    sync.Mutex
	at    time.Time
	found []doctor.Finding
	looks bool
}

// of returns them, and has them looked at again, behind the caller's back, where they are
// old: a disk that hangs must not keep /readyz from saying so of the rest.
func (r *readiness) of(ctx context.Context, pool *pgxpool.Pool, host string, checks []doctor.Check) []doctor.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.looks && time.Since(r.at) >= cheapEvery {
		r.looks = true
		go r.look(context.WithoutCancel(ctx), pool, host, checks)
	}
	return r.found
}

func (r *readiness) look(ctx context.Context, pool *pgxpool.Pool, host string, checks []doctor.Check) {
	clock := doctor.Check{Codes: []doctor.Code{doctor.ClockSkew}, Look: func(ctx context.Context) []doctor.Finding { return doctor.Clock(ctx, pool, time.Now) }}
	found, _ := doctor.Run(ctx, host, doctor.Order{Cheap: true}, append([]doctor.Check{clock}, checks...)...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found, r.at, r.looks = found, time.Now(), false
}

// named are the codes of what /readyz has always asked for.
func named(code doctor.Code, err error) error {
	if err == nil {
		return nil
	}
	return &coded{string(code), err}
}

// coded is an error with the check that it would be found by.
type coded struct {
	code string
	err  error
}

func (c *coded) Error() string     { return c.code + ": " + c.err.Error() }
func (c *coded) Unwrap() error     { return c.err }
func (c *coded) CheckCode() string { return c.code }

// KeepsServing: what needs them waits.
func (*coded) KeepsServing() bool { return false }
