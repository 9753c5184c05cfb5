package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"weir/db"
	"weir/internal/devstack"
	"weir/internal/mistsim"
)

const (
	// hosts is the least number with which "elsewhere" is a choice.
	hosts = 3
	// slots and stores of a host: two of each, so that what one does meets the other.
	slots  = 2
	stores = 2
	// flight is how many transcodes are in work when a fault strikes: more than two
	// hosts have slots, so that every host has some.
	flight = 5
	// suiteConns is for this program's own looks: Postgres keeps so many for superusers
	// when all others are taken.
	suiteConns = 3
	// clipSeconds is three segments: one done, one in work, one to come.
	clipSeconds = 6
	clipWidth   = 320
	clipHeight  = 180
	clipFPS     = 30
)

const (
	// upstreamHost has the newer Mist, whose ways differ; all others have the fork.
	upstreamHost = 1
	// offlineFor is how long that one lists an ended stream as Offline: more than two
	// sweeps, where the real one takes 20 to 30 s.
	offlineFor = 12 * time.Second
)

// flavour makes one host the newer Mist.
func flavour(host int) []string {
	if host != upstreamHost {
		return nil
	}
	return []string{"-flavour", string(mistsim.Upstream), "-offline", offlineFor.String()}
}

// daemonProgram is the daemon with crash points in it.
const daemonProgram = "weir-daemon-chaos"

// profiles are two small renditions, so that one may be done when the other is not.
func profiles() []devstack.Profile {
	return []devstack.Profile{
		{Name: "low", Width: 160, Height: 90, Bitrate: 150_000},
		{Name: "lower", Width: 146, Height: 82, Bitrate: 100_000},
	}
}

// suite is a fleet of three hosts, each behind gates of its own, and what it is
// asked to do.
type suite struct {
	*devstack.Stack

	postgres *devstack.Postgres
	door     *door
	// toPostgres, toMist, toS3 and toBroadcaster are each host's way to it.
	toPostgres, toMist, toS3, toBroadcaster []*gate
	// background draws what Mist does behind each fault of a soak; nil for nothing.
	background *rand.Rand
	// crashes is the folder in which crash points are armed.
	crashes string
	// memory is where the hosts' Mists keep their shared memory, apart from the machine's.
	memory string
	// db looks at the rows past all gates, as a superuser; daemons are none.
	db     *pgxpool.Pool
	source devstack.Facts
	// sourceURL and outputURL have no keys: each host signs with its own.
	sourceURL, outputURL string
	binDir               string
	// settings are those of each host's daemon.
	settings []map[string]string

	closers []func() error
}

// start starts everything.
func start(ctx context.Context, binDir string, progress io.Writer) (_ *suite, err error) {
	s := &suite{binDir: binDir}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	servers, err := devstack.StartServers(ctx, &devstack.ServersConfig{BinDir: binDir})
	if err != nil {
		return nil, err
	}
	s.closing(servers.Close)
	s.postgres = servers.Postgres
	if s.crashes, err = servers.Folder.Make("crashes"); err != nil {
		return nil, err
	}
	if s.memory, err = servers.Folder.Make("memory"); err != nil {
		return nil, err
	}
	if err := os.Setenv(mistsim.ShmDirEnv, s.memory); err != nil {
		return nil, fmt.Errorf("name the hosts' shared memory: %w", err)
	}
	if err := s.mountSpool(servers.Folder.Path); err != nil {
		return nil, err
	}
	if s.door, err = newDoor(ctx, servers.S3.Endpoint); err != nil {
		return nil, err
	}
	s.closing(s.door.Close)
	server, err := makeUser(ctx, servers.Postgres.URL)
	if err != nil {
		return nil, err
	}
	s.Stack, err = devstack.Start(ctx, &devstack.Config{
		BinDir: binDir, Folder: servers.Folder, Hosts: hosts, Slots: slots,
		DatabaseServer: server, S3: servers.S3, StoreEndpoint: storeEndpoint, DaemonProgram: daemonProgram,
		MistFlags:    flavour,
		HostSettings: func(host int, settings map[string]string) error { return s.gates(ctx, host, settings) },
		Settings:     map[string]string{"WEIR_STORE_WORKERS": strconv.Itoa(stores), "CHAOS_CRASH": s.crashes, "HTTP_PROXY": "http://" + s.door.address},
	})
	if err != nil {
		return nil, err
	}
	s.closing(s.Stack.Close)
	looks, err := asSuperuser(servers.Postgres.URL, s.Database)
	if err != nil {
		return nil, err
	}
	if s.db, err = db.Open(ctx, string(looks), suiteConns); err != nil {
		return nil, err
	}
	s.closing(func() error { s.db.Close(); return nil })
	if err := s.makeSource(ctx); err != nil {
		return nil, err
	}
	fmt.Fprintf(progress, "chaos: %d hosts with %d slots, %d transcodes in flight\n", hosts, slots, flight)
	return s, nil
}

// storeEndpoint is where the tenant's store is, for every host the same: a name that leads
// nowhere, so that each host asks its own proxy, which is its gate to the door.
const storeEndpoint = "http://s3.chaos.invalid"

// gates puts a gate before each thing that a host depends on.
func (s *suite) gates(ctx context.Context, host int, settings map[string]string) error {
	for _, way := range []struct {
		setting string
		target  string // another address than the setting's
		gates   *[]*gate
	}{
		{"WEIR_DATABASE_URL", "", &s.toPostgres},
		{"WEIR_MIST_API", "", &s.toMist},
		{"HTTP_PROXY", s.door.address, &s.toS3},
		{"WEIR_BROADCASTERS", "", &s.toBroadcaster},
	} {
		address, err := url.Parse(settings[way.setting])
		if err != nil {
			return fmt.Errorf("gate: %s is no address", way.setting)
		}
		if way.target == "" {
			way.target = address.Host
		}
		gate, err := newGate(ctx, way.target)
		if err != nil {
			return err
		}
		s.closing(gate.Close)
		*way.gates = append(*way.gates, gate)
		address.Host = gate.address
		settings[way.setting] = address.String()
	}
	settings[skewVariable] = s.skewFile(host)
	if err := s.setClock(host, 0); err != nil {
		return fmt.Errorf("set the clock of %s: %w", hostID(host), err)
	}
	s.settings = append(s.settings, maps.Clone(settings))
	return nil
}

func (s *suite) makeSource(ctx context.Context) error {
	dir, err := s.Folder.Make("source")
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "source.mp4")
	if err := devstack.MakeClip(ctx, path, devstack.Clip{Width: clipWidth, Height: clipHeight, FPS: clipFPS, Duration: clipSeconds * time.Second}); err != nil {
		return err
	}
	if s.source, err = devstack.Probe(ctx, path); err != nil {
		return err
	}
	if _, err := s.Upload(ctx, path, "source.mp4"); err != nil {
		return err
	}
	s.sourceURL, s.outputURL = "s3://"+s.Bucket+"/source.mp4", "s3://"+s.Bucket+"/out"
	return nil
}

func (s *suite) closing(step func() error) { s.closers = append(s.closers, step) }

// Close ends all of it, the last started first.
func (s *suite) Close() error {
	var errs []error
	for _, step := range slices.Backward(s.closers) {
		errs = append(errs, step())
	}
	s.closers = nil
	return errors.Join(errs...)
}

// apis are the daemons as Studio reaches them.
func (s *suite) api(host int) *devstack.API {
	return &devstack.API{URL: s.Daemons[host].API, Token: s.API.Token}
}

// rows returns what a query gives, one T a row.
func rows[T any](ctx context.Context, s *suite, query string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	found, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("look at the rows: %w", err)
	}
	list, err := pgx.CollectRows(found, pgx.RowToStructByPos[T])
	if err != nil {
		return nil, fmt.Errorf("look at the rows: %w", err)
	}
	return list, nil
}

const (
	// lookTimeout bounds one look at the rows, which may be out of reach.
	lookTimeout = 10 * time.Second
	// lookEvery is often enough to strike at a stage that lasts half a second.
	lookEvery = 50 * time.Millisecond
)

// until looks until it is so.
func until(ctx context.Context, what string, so func(context.Context) (bool, error)) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		is, err := so(ctx)
		if is {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited in vain for %s: %w", what, errors.Join(context.Cause(ctx), err))
		}
	}
}

// pause lets time pass.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
