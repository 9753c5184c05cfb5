package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/devstack"
)

const (
	// askAgain is how long a caller waits when an API did not answer.
	askAgain = 200 * time.Millisecond
	// slowSegment makes a transcode last some 6 s: three segments and the padding's, two
	// at a time. More than 4 s would be too long for Mist.
	slowSegment = `{"mode":"slow","delay_ms":2000}`
	// tidy is how long after the last end Weir may go on cleaning: a sweep comes every
	// 5 s, Mist drops a stream some seconds after its last use, and for 30 s the pages of
	// a killed input are Mist's to give back.
	tidy = time.Minute
)

// round is one fault under load: what is asked for, what came of it.
type round struct {
	*suite

	fault *fault
	// key is in all that the round asks for.
	key string
	// studio receives the round's callbacks through toStudio.
	studio   *devstack.Studio
	toStudio *gate
	// ids are the transcodes that were accepted; read them when all are.
	ids []string
	// twin is a second daemon of one host; nil where there is none.
	twin *devstack.Daemon
	// other is a Broadcaster in the place of the one at usual; nil where there is none.
	other *devstack.Broadcaster
	usual string

	healedAt, endedAt time.Time
}

// result is a line of the table.
type result struct {
	name      string
	recovered time.Duration
	whole     time.Duration
	repeated  repeats
	// lost are transcodes without their end, doubled what was done or told more often
	// than allowed, left what was left behind.
	lost, doubled, left []string
	err                 error
	// attempts that failed are told where the fault was not survived.
	attempts []lostAttempt
}

func (r *result) survived() bool {
	return r.err == nil && len(r.lost)+len(r.doubled)+len(r.left) == 0
}

// run puts the fleet under load, strikes, and looks at what came of it.
func (s *suite) run(ctx context.Context, f *fault) (res result) {
	began := time.Now()
	res.name = f.name
	defer func() { res.whole = time.Since(began) }()
	ctx, cancel := context.WithTimeoutCause(ctx, roundLimit, fmt.Errorf("the round's limit of %s is over", roundLimit))
	defer cancel()
	r := &round{suite: s, fault: f, key: strings.ToLower(rand.Text())}
	if res.err = r.studioUp(ctx); res.err != nil {
		return res
	}
	defer func() { res.err = errors.Join(res.err, r.toStudio.Close(), r.studio.Close()) }()
	if res.err = r.play(ctx); res.err == nil {
		res.err = r.awaitEnds(ctx)
	}
	res.err = errors.Join(res.err, r.Broadcaster.Faults(context.WithoutCancel(ctx), `{}`))
	if f.after != nil {
		res.err = errors.Join(res.err, f.after(context.WithoutCancel(ctx), r))
	}
	res.err = errors.Join(res.err, r.mistFaults(context.WithoutCancel(ctx), `{}`)) // with every Mist back
	res.recovered = r.endedAt.Sub(r.healedAt)
	r.judge(ctx, &res)
	if res.err != nil || len(res.lost) > 0 {
		res.err = errors.Join(res.err, r.mend(context.WithoutCancel(ctx)))
	}
	return res
}

// roundLimit is above every fault's own limit.
const roundLimit = 6 * time.Minute

func (r *round) studioUp(ctx context.Context) (err error) {
	if r.studio, err = devstack.StartStudio(ctx, &devstack.StudioConfig{}); err != nil {
		return err
	}
	host, _, _ := strings.Cut(strings.TrimPrefix(r.studio.URL, "http://"), "/")
	if r.toStudio, err = newGate(ctx, host); err != nil {
		return errors.Join(err, r.studio.Close())
	}
	return nil
}

// play submits the load and strikes at it.
func (r *round) play(ctx context.Context) error {
	if r.fault.slow {
		if err := r.Broadcaster.Faults(ctx, slowSegment); err != nil {
			return err
		}
	}
	if err := r.behind(ctx); err != nil {
		return err
	}
	if r.fault.before != nil {
		if err := r.fault.before(ctx, r); err != nil {
			return fmt.Errorf("before the load: %w", err)
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	r.ids = make([]string, flight)
	for i := range flight {
		group.Go(func() (err error) {
			r.ids[i], err = r.submit(groupCtx, i)
			return err
		})
	}
	struck := r.fault.strike(groupCtx, r)
	r.healedAt = time.Now()
	return errors.Join(struck, group.Wait())
}

// submit asks as Studio does: with an id of its own, until somebody has taken it.
func (r *round) submit(ctx context.Context, i int) (string, error) {
	return r.ask(ctx, i, r.key+"-"+strconv.Itoa(i))
}

// ask asks a host's daemon first, and then the others.
func (r *round) ask(ctx context.Context, first int, externalID string) (string, error) {
	req := &devstack.Request{
		ExternalID: externalID,
		Source:     devstack.Location{URL: r.sourceURL}, Output: devstack.Location{URL: r.outputURL + "/" + r.key},
		CallbackURL: strings.Replace(r.studio.URL, strings.TrimPrefix(r.studio.URL, "http://")[:len(r.toStudio.target)], r.toStudio.address, 1) + r.key,
		Profiles:    profiles(),
	}
	for ask := first; ; ask++ {
		t, err := r.api(ask%hosts).Submit(ctx, req)
		if err == nil {
			return t.ID, nil
		}
		var refused *devstack.StatusError
		if errors.As(err, &refused) && refused.Status < 500 {
			return "", fmt.Errorf("submit: %w", err)
		}
		if err := pause(ctx, askAgain); err != nil {
			return "", fmt.Errorf("submit %s: %w", req.ExternalID, err)
		}
	}
}

// awaitEnds waits until each transcode has ended and its callback is delivered.
func (r *round) awaitEnds(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Until(r.healedAt.Add(r.fault.within)),
		fmt.Errorf("%s was to be over %s after it was healed", r.fault.name, r.fault.within))
	defer cancel()
	err := until(ctx, "the end of all transcodes", func(ctx context.Context) (bool, error) {
		open, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.transcodes t WHERE t.id = ANY($1::uuid[])
			AND NOT EXISTS (SELECT FROM weir.callbacks c WHERE c.transcode_id = t.id AND c.state = 'delivered')`, r.ids)
		return err == nil && open[0].N == 0, err
	})
	r.endedAt = time.Now()
	return err
}

// failing waits until so many attempts have failed: the fault has struck, and is seen.
func (r *round) failing(ctx context.Context, n int) error { return r.failingAs(ctx, "", n) }

// failingAs waits until so many attempts have failed with the code; "" is any.
func (r *round) failingAs(ctx context.Context, code string, n int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, soon, fmt.Errorf("it was to be seen within %s", soon))
	defer cancel()
	return until(ctx, strconv.Itoa(n)+" failed attempts "+code, func(ctx context.Context) (bool, error) {
		failed, err := rows[struct{ N int }](ctx, r.suite, `SELECT count(*) FROM weir.attempts a JOIN weir.transcodes t ON t.id = a.transcode_id
			WHERE t.external_id LIKE $1 || '-%' AND a.outcome = 'failed'
			AND $2 IN ('', a.error_code)`, r.key, code)
		return err == nil && failed[0].N >= n, err
	})
}

// mend makes the fleet usable for the next fault after one that it did not survive.
func (r *round) mend(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	errs := []error{r.disarm(), r.Broadcaster.Faults(ctx, `{}`), r.writeDisk(), r.emptyDisk(), r.setClocks(0, 0)}
	r.door.set(doorOpen)
	for _, gates := range [][]*gate{r.toPostgres, r.toMist, r.toS3, r.toBroadcaster} {
		for _, gate := range gates {
			errs = append(errs, gate.heal(ctx))
		}
	}
	for i := range r.Daemons {
		errs = append(errs, r.Hosts[i].Resume(), r.Daemons[i].Resume())
	}
	errs = append(errs, r.postgres.Resume(), r.rise(ctx), r.mistFaults(ctx, `{}`))
	for _, id := range r.ids {
		if id != "" {
			_, _ = r.api(0).Cancel(ctx, id) // most have ended
		}
	}
	_, err := r.AwaitClean(ctx)
	return errors.Join(append(errs, err)...)
}
