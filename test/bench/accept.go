package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"weir/test/bench/free"
)

const (
	// acceptClients post at once, each with a connection that it keeps.
	acceptClients = 16
	// acceptOffered requests come each second, and half of them, at even times, while it is
	// measured how soon one is answered: from when it was due, so that no client's own wait
	// hides another's. All of them wait from then on, and the more wait the longer the look for
	// statuses that are due holds a processor: of a queue of 40,000 it is seen in 99 of 100.
	acceptOffered = 500
	acceptFor     = 2 * time.Second
	// acceptPress is a round in which they post as fast as they can: what waits is not to be more
	// than a tenant may have (100,000).
	acceptPress = time.Second
	// acceptWarm fills pools and caches before, and tables with what their statistics need:
	// autovacuum takes them from a thousand rows on.
	acceptWarm = 2 * time.Second
	// sealedRequests come by SQL, one after the other; sealedLook is how often it is looked
	// whether one is sealed.
	sealedRequests = 100
	sealedLook     = time.Millisecond
	// acceptLate is when a machine that can't keep up is not waited for any more.
	acceptLate = 30 * time.Second
)

// The bodies are as their callers send them: a task runner's, and one of /v1. %d makes each
// another request; %s are the addresses of the source's and the outputs' bucket, with keys,
// and of the receiver.
const (
	taskRunnerBody = `{"external_id":"task-%[1]d","url":"%[2]s/in/%[1]d.mp4",` +
		`"callback_url":"%[3]stask-runner/webhook/catalyst/task/%[1]d?nextStep=finalize&attemptId=0",` +
		`"output_locations":[` +
		`{"type":"object_store","url":"%[2]s/out/%[1]d","outputs":{"hls":"enabled"}},` +
		`{"type":"object_store","url":"%[2]s/out/%[1]d","outputs":{"hls":"","mp4":"only_short","fragmented_mp4":"","thumbnails":"","clip":"","source_mp4":false}},` +
		`{"type":"object_store","url":"%[2]s/out/%[1]d/video","outputs":{"source_mp4":true}}],` +
		`"pipeline_strategy":"catalyst_ffmpeg","clip_strategy":{}}`
	v1Body = `{"external_id":"own-%[1]d","source":{"url":"%[2]s/in/%[1]d.mp4"},"output":{"url":"%[2]s/out/%[1]d"},` +
		`"callback_url":"%[3]shooks/%[1]d","metadata":{"asset":"a-%[1]d","playback":{"id":"p-%[1]d"}},"labels":{"customer":"acme"},` +
		`"profiles":[{"name":"720p","width":1280,"height":720,"bitrate":3000000},` +
		`{"name":"480p","width":854,"height":480,"bitrate":1500000},{"name":"360p","width":640,"height":360,"bitrate":800000}]}`
)

// acceptance posts requests.
type acceptance struct {
	client       *http.Client
	url, token   string
	bucket, told string
	next         atomic.Int64
}

// accept is how soon, and how often, the API commits a request, beside what as many clients
// of pgbench commit on the same Postgres. Nothing runs meanwhile: the host is drained.
func (b *bench) accept(ctx context.Context) error {
	if _, err := b.stack.Admin(ctx, "hosts", "drain", "host-1", "--reason", "the bench only has requests accepted"); err != nil {
		return err
	}
	db, err := pgx.Connect(ctx, string(b.stack.Database))
	if err != nil {
		return fmt.Errorf("connect to the stack's database: %w", err)
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	bucket, err := b.stack.S3.URL(b.stack.Bucket, "bench")
	if err != nil {
		return err
	}
	transport := &http.Transport{MaxIdleConnsPerHost: acceptClients}
	defer transport.CloseIdleConnections()
	a := &acceptance{
		client: &http.Client{Transport: transport, Timeout: acceptFor},
		url:    b.stack.API.URL, token: string(b.stack.API.Token), bucket: string(bucket), told: b.stack.Studio.URL,
	}
	forms := []struct{ path, body, name string }{{"/api/vod", taskRunnerBody, "a task runner's"}, {"/v1/transcodes", v1Body, "/v1's"}}
	for _, form := range forms {
		if _, err := a.offer(ctx, form.path, form.body, acceptOffered, acceptWarm); err != nil {
			return err
		}
		// As autovacuum does within the first minute: until then plans are for empty tables.
		if _, err := db.Exec(ctx, "ANALYZE weir.transcodes, weir.renditions, weir.outputs, weir.river_job, weir.callbacks, weir.events"); err != nil {
			return fmt.Errorf("analyze: %w", err)
		}
		for _, offered := range []int{acceptOffered / 2, acceptOffered} { //nolint:mnd // half of it
			if err := b.acceptAt(ctx, db, a, form.path, form.body, form.name, offered); err != nil {
				return err
			}
		}
	}
	for _, form := range forms {
		var rates []float64
		for range rounds {
			rate, err := a.press(ctx, form.path, form.body)
			if err != nil {
				return err
			}
			rates = append(rates, rate)
		}
		b.AddAbove(fmt.Sprintf("%d clients that post %s requests as fast as they can: accepted", acceptClients, form.name), "1/s", fmt.Sprintf("%d or more", goalAccepted), goalAccepted, rates...)
	}
	var half, most []float64
	for range rounds {
		open, err := b.sealed(ctx, db, a)
		if err != nil {
			return err
		}
		half, most = append(half, free.Share(open, latencyHalf)), append(most, free.Share(open, latencyMost))
	}
	b.Add("by SQL: commit -> sealed, while its secrets stand open, 50 of 100", "s", "", 0, half...)
	b.Add("  99 of 100", "s", "", 0, most...)
	return b.acceptLimits(ctx)
}

// acceptLimits are what the machine commits, and how soon.
func (b *bench) acceptLimits(ctx context.Context) error {
	offers := []int{acceptOffered / 2, acceptOffered} //nolint:mnd // half of it
	var tps []float64
	within := map[int][]float64{}
	for range rounds {
		rate, err := pgbench(ctx, string(b.stack.Database), acceptClients)
		if err != nil {
			return err
		}
		tps = append(tps, rate)
		for _, offered := range offers {
			took, err := pgbenchWithin(ctx, string(b.stack.Database), acceptClients, offered)
			if err != nil {
				return err
			}
			within[offered] = append(within[offered], took)
		}
	}
	b.Add(fmt.Sprintf("the machine: pgbench, simple updates, %d clients", acceptClients), "tx/s", "", 0, tps...)
	for _, offered := range offers {
		b.Add(fmt.Sprintf("  %d of them offered a second: committed within, 99 of 100", offered), "s", "", 0, within[offered]...)
	}
	return nil
}

// acceptAt is how soon requests of a form are answered that come so often, and what one costs.
func (b *bench) acceptAt(ctx context.Context, db *pgx.Conn, a *acceptance, path, body, name string, offered int) error {
	var half, most, daemon, database []float64
	for range rounds {
		before, err := b.spent(ctx, db)
		if err != nil {
			return err
		}
		took, err := a.offer(ctx, path, body, offered, acceptFor)
		if err != nil {
			return err
		}
		after, err := b.spent(ctx, db)
		if err != nil {
			return err
		}
		half, most = append(half, free.Share(took, latencyHalf)), append(most, free.Share(took, latencyMost))
		daemon = append(daemon, milliseconds(after.hosts-before.hosts)/float64(len(took)))
		database = append(database, milliseconds(after.postgres-before.postgres)/float64(len(took)))
	}
	b.Add(fmt.Sprintf("accept %d of %s requests a second: answered within, 50 of 100", offered, name), "s", "", 0, half...)
	b.Add("  99 of 100", "s", under(goalAccept), goalAccept.Seconds(), most...)
	b.Add("  processor time of the daemon for each", "ms", "", 0, daemon...)
	b.Add("  of Postgres", "ms", "", 0, database...)
	return nil
}

// sealed is for how long requests by SQL stand readable in the inbox, one after the other: from
// their commit until the job `accept` has sealed them and removed their row. It is
// seen within sealedLook, which is in it.
func (b *bench) sealed(ctx context.Context, db *pgx.Conn, a *acceptance) (open []time.Duration, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, acceptLate, fmt.Errorf("%d requests were not sealed within %s: the machine is too busy", sealedRequests, acceptLate))
	defer cancel()
	var role string
	if err := db.QueryRow(ctx, "SELECT current_user").Scan(&role); err != nil {
		return nil, fmt.Errorf("ask who I am: %w", err)
	}
	if _, err := db.Exec(ctx, "INSERT INTO weir.speakers (role, tenant) VALUES ($1, 'studio') ON CONFLICT DO NOTHING", role); err != nil {
		return nil, fmt.Errorf("speak for a tenant: %w", err)
	}
	tick := time.NewTicker(sealedLook)
	defer tick.Stop()
	for range sealedRequests {
		var id string
		if err := db.QueryRow(ctx, "SELECT weir.enqueue_transcode($1::jsonb)", fmt.Sprintf(v1Body, a.next.Add(1), a.bucket, a.told)).Scan(&id); err != nil {
			return nil, fmt.Errorf("ask by SQL: %w", errors.Join(err, context.Cause(ctx)))
		}
		committed := time.Now()
		for waits := true; waits; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			if err := db.QueryRow(ctx, "SELECT EXISTS (SELECT FROM weir.inbox WHERE id = $1)", id).Scan(&waits); err != nil {
				return nil, fmt.Errorf("look into the inbox: %w", errors.Join(err, context.Cause(ctx)))
			}
		}
		open = append(open, time.Since(committed))
	}
	return open, nil
}

// offer posts so many a second for a time, and says how long each took from when it was due.
func (a *acceptance) offer(ctx context.Context, path, body string, offered int, lasting time.Duration) ([]time.Duration, error) {
	all := int(lasting.Seconds() * float64(offered))
	took := make([]time.Duration, all)
	ctx, cancel := context.WithTimeoutCause(ctx, acceptLate, fmt.Errorf("%d requests were not accepted within %s: the machine is too busy", all, acceptLate))
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	var taken atomic.Int64
	for range acceptClients {
		group.Go(func() error {
			for {
				i := int(taken.Add(1)) - 1
				if i >= all {
					return nil
				}
				due := began.Add(time.Duration(i) * time.Second / time.Duration(offered))
				select {
				case <-time.After(time.Until(due)):
				case <-ctx.Done():
					return context.Cause(ctx)
				}
				if err := a.post(ctx, path, body); err != nil {
					return err
				}
				took[i] = time.Since(due)
			}
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err, context.Cause(ctx))
	}
	return took, nil
}

// press posts one after the other by each client, and says how many a second were accepted.
func (a *acceptance) press(ctx context.Context, path, body string) (float64, error) {
	group, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	var accepted atomic.Int64
	for range acceptClients {
		group.Go(func() error {
			for time.Since(began) < acceptPress {
				if err := a.post(ctx, path, body); err != nil {
					return err
				}
				accepted.Add(1)
			}
			return nil
		})
	}
	err := group.Wait()
	return float64(accepted.Load()) / time.Since(began).Seconds(), err
}

// post sends one request that nobody has sent before.
func (a *acceptance) post(ctx context.Context, path, body string) error {
	text := fmt.Sprintf(body, a.next.Add(1), a.bucket, a.told)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url+path, strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("post: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusAccepted {
		return fmt.Errorf("POST %s: HTTP %s: %s", path, strconv.Itoa(resp.StatusCode), bytes.TrimSpace(answer))
	}
	return nil
}
