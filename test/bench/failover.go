package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/internal/devstack"
	"weir/secret"
)

const (
	// failoverAhead is how many requests are accepted before the fault: more than run at once.
	failoverAhead = 6
	// failoverEvery is how often one more is sent, until one is accepted by the new primary.
	failoverEvery = 250 * time.Millisecond
	failoverClip  = 10 * time.Second
	// failoverAnswer is how long an answer is waited for while there is no primary.
	failoverAnswer = 5 * time.Second
	// failoverLimit bounds one round, half a minute where nothing else runs: an attempt that lost
	// its triggers is begun again after two.
	failoverLimit = 8 * time.Minute
	// failoverLook is how often the standby is asked how far it is.
	failoverLook = 20 * time.Millisecond
)

// pair is a primary, and a standby without which it commits nothing.
type pair struct {
	primary, standby *devstack.Postgres
	// both names a database by the addresses of both, for whoever writes.
	both secret.Secret
}

// startPair starts both, with a database, in folders of a stack's.
func startPair(ctx context.Context, folder *devstack.Folder) (_ *pair, err error) {
	p := &pair{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close())
		}
	}()
	settings := append(devstack.Durable(), "max_wal_senders=4")
	dirs := map[string]string{"primary": "", "standby": ""}
	for name := range dirs {
		if dirs[name], err = folder.Make(name); err != nil {
			return nil, err
		}
	}
	if p.primary, err = devstack.StartPostgres(ctx, &devstack.PostgresConfig{Dir: dirs["primary"], Settings: settings}); err != nil {
		return nil, err
	}
	if p.standby, err = p.primary.Standby(ctx, &devstack.PostgresConfig{Dir: dirs["standby"], Settings: settings}); err != nil {
		return nil, err
	}
	db, err := pgx.Connect(ctx, string(p.primary.URL))
	if err != nil {
		return nil, fmt.Errorf("connect to the primary: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	// Not before the standby is there: until then nothing would commit.
	for _, statement := range []string{"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()", "CREATE DATABASE weir"} {
		if _, err := db.Exec(ctx, statement); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	if err := await(ctx, func() (synchronous bool, err error) {
		err = db.QueryRow(ctx, "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'").Scan(&synchronous)
		return synchronous, err
	}); err != nil {
		return nil, fmt.Errorf("wait for the standby to be synchronous: %w", err)
	}
	one, err := url.Parse(string(p.primary.URL))
	if err != nil {
		return nil, errors.New("the primary's address is no URL")
	}
	other, err := url.Parse(string(p.standby.URL))
	if err != nil {
		return nil, errors.New("the standby's address is no URL")
	}
	one.Host += "," + other.Host
	one.Path = "weir"
	query := one.Query()
	query.Set("target_session_attrs", "read-write")
	query.Set("connect_timeout", "2")
	one.RawQuery = query.Encode()
	p.both = secret.Secret(one.String())
	return p, nil
}

func (p *pair) close() error {
	var all []error
	for _, server := range []*devstack.Postgres{p.standby, p.primary} {
		if server != nil {
			all = append(all, server.Close())
		}
	}
	return errors.Join(all...)
}

// await asks every so often until it is so.
func await(ctx context.Context, so func() (bool, error)) error {
	tick := time.NewTicker(failoverLook)
	defer tick.Stop()
	for {
		if yes, err := so(); yes || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// taken is what came of one failover: how long after the kill, in seconds, and how many.
type taken struct {
	promoted, again, first, all       []float64
	accepted, refused, lost, repeated []float64
}

// failover kills the primary under a daemon with transcodes waiting and running, promotes the
// standby, and counts what was promised and what was kept.
func (b *bench) failover(ctx context.Context) error {
	var took taken
	for range rounds {
		if err := b.failOnce(ctx, &took); err != nil {
			return err
		}
	}
	b.Add("kill -9 of the primary -> the standby is promoted, asked at once", "s", "", 0, took.promoted...)
	b.Add("  -> a request is accepted again", "s", "", 0, took.again...)
	b.Add("  -> the first callback of what ran", "s", "", 0, took.first...)
	b.Add("  -> the last callback of all that was accepted", "s", "", 0, took.all...)
	b.Add("requests accepted, before it and after", "", "", 0, took.accepted...)
	b.Add("  refused meanwhile", "", "", 0, took.refused...)
	b.Add("  accepted and not transcoded, in all rounds", "", "none", 0, sumOf(took.lost))
	b.Add("  callbacks delivered again, each as the same event", "", "", 0, took.repeated...)
	return nil
}

func sumOf(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// failOnce is one round.
func (b *bench) failOnce(ctx context.Context, took *taken) (err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, failoverLimit, fmt.Errorf("the failover was not over within %s", failoverLimit))
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find my own folder: %w", err)
	}
	folder, err := devstack.NewFolder()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	servers, err := startPair(ctx, folder)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, servers.close()) }()
	b.stack, err = devstack.Start(ctx, &devstack.Config{
		BinDir: filepath.Dir(self), Folder: folder, Database: servers.both,
		Settings: map[string]string{"WEIR_LOG_FORMAT": "json", "WEIR_API_RATE": "0"},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.stack.Close()) }()
	clip := filepath.Join(folder.Path, "clip.mp4")
	if err := devstack.MakeClip(ctx, clip, devstack.Clip{Duration: failoverClip}); err != nil {
		return err
	}
	source, err := b.stack.Upload(ctx, clip, "bench/clip.mp4")
	if err != nil {
		return err
	}
	return b.promote(ctx, servers, string(source), took)
}

// promote is the fault itself.
func (b *bench) promote(ctx context.Context, servers *pair, source string, took *taken) error {
	var accepted []*devstack.Transcode
	for range failoverAhead {
		t, err := b.small(ctx, source, ladder()[2])
		if err != nil {
			return err
		}
		accepted = append(accepted, t)
	}
	if _, err := b.stack.API.Await(ctx, accepted[0].ID, func(t *devstack.Transcode) bool { return t.Ratio > 0 }); err != nil {
		return err
	}
	standby, err := pgx.Connect(ctx, string(servers.standby.URL))
	if err != nil {
		return fmt.Errorf("connect to the standby: %w", err)
	}
	defer func() { _ = standby.Close(context.WithoutCancel(ctx)) }()
	killed := time.Now()
	if err := servers.primary.Kill(); err != nil {
		return err
	}
	if _, err := standby.Exec(ctx, "SELECT pg_promote()"); err != nil {
		return fmt.Errorf("promote the standby: %w", err)
	}
	promoted := time.Since(killed)
	refused := 0
	tick := time.NewTicker(failoverEvery)
	defer tick.Stop()
	for len(accepted) == failoverAhead {
		short, cancel := context.WithTimeout(ctx, failoverAnswer)
		t, err := b.small(short, source, ladder()[2])
		cancel()
		if err == nil {
			accepted = append(accepted, t)
			break
		}
		refused++
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), err)
		}
	}
	again := time.Since(killed)
	ended := again
	var lost, doubled float64
	var first time.Duration
	for _, t := range accepted {
		told, err := b.stack.Studio.WaitAccepted(ctx, t.ID)
		if err != nil {
			return err
		}
		if told.Status != "success" {
			lost++
		}
		if took := told.At.Sub(killed); took > 0 && (first == 0 || took < first) {
			first = took
		}
		ended = max(ended, told.At.Sub(killed))
	}
	for _, t := range accepted {
		terminal := 0
		for _, c := range b.stack.Studio.Callbacks(t.ID) {
			if c.Terminal() {
				terminal++
			}
		}
		doubled += float64(terminal - 1)
	}
	took.promoted = append(took.promoted, promoted.Seconds())
	took.again = append(took.again, again.Seconds())
	took.first = append(took.first, first.Seconds())
	took.all = append(took.all, ended.Seconds())
	took.accepted = append(took.accepted, float64(len(accepted)))
	took.refused = append(took.refused, float64(refused))
	took.lost = append(took.lost, lost)
	took.repeated = append(took.repeated, doubled)
	if err := b.stack.Studio.Problems(); err != nil {
		return fmt.Errorf("callbacks broke their contract: %w", err)
	}
	return nil
}

// small asks for one rendition of a source.
func (b *bench) small(ctx context.Context, source string, profile devstack.Profile) (*devstack.Transcode, error) {
	output, err := b.stack.S3.URL(b.stack.Bucket, "bench/out")
	if err != nil {
		return nil, err
	}
	return b.stack.API.Submit(ctx, &devstack.Request{
		Source: devstack.Location{URL: source}, Output: devstack.Location{URL: string(output)},
		CallbackURL: b.stack.Studio.URL + "bench", Profiles: []devstack.Profile{profile},
	})
}
