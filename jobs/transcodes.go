package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/secret"
)

// What the operations on transcodes answer with; test by errors.Is.
var (
	ErrNotFound = errors.New("no such transcode")
	// ErrConflict: the tenant has used this external_id for a different request.
	ErrConflict = errors.New("this external_id was used for a different request")
	// ErrFinished: it has reached its end and can't be cancelled.
	ErrFinished = errors.New("the transcode has ended already")
	// ErrNotFailed: only a failed transcode can be retried.
	ErrNotFailed = errors.New("only a failed transcode can be retried")
)

// maxAttempts is how often a transcode is tried in one run: a second try meets
// another host, a third tells a bad host from a bad source.
const maxAttempts = 3

// Transcodes are the operations of Studio and of operators. They are rows alone:
// they work while no daemon is up.
type Transcodes struct {
	DB     *pgxpool.Pool
	River  *river.Client[pgx.Tx]
	Sealer *secret.Sealer
}

// Detail is a transcode with all that belongs to its newest attempt.
type Detail struct {
	Transcode  dbsqlc.Transcode
	Attempt    *dbsqlc.Attempt
	Renditions []dbsqlc.Rendition
	// Callback is that of the run; nil before its end.
	Callback *dbsqlc.Callback
	// Position is where it stands in the queue; nil: it stands in none.
	Position *Position
}

// emptyObject is metadata, or labels, of which there are none.
var emptyObject = json.RawMessage("{}")

// Label is one of a transcode's labels.
type Label struct{ Key, Value string }

// positionsMost is how far a queue is counted: nobody waits for a place so far behind.
const positionsMost = 1000

// Position is a place in the queue; 0: farther behind than is counted.
type Position struct{ Own, Everybodys int64 }

// Counted is how far a queue is counted.
func (p *Position) Counted() int64 { return positionsMost }

// Filter narrows a list; nil fields do not.
type Filter struct {
	Tenant, State, ExternalID, HostID *string
	CreatedFrom, CreatedTo            *time.Time
	// Labels are all to be there; a Tenant has to be named with them.
	Labels []Label
	// BeforeAt and BeforeID are the last line of the page before.
	BeforeAt *time.Time
	BeforeID *uuid.UUID
	Limit    int32
}

// Accept commits a request: the transcode, all its renditions and the job that
// places it, in one transaction. created is false when the tenant has sent the
// same request under the same external_id before: the first one is returned. A
// different one is ErrConflict.
func (ts *Transcodes) Accept(ctx context.Context, req *Request) (t dbsqlc.Transcode, created bool, err error) {
	q := dbsqlc.New()
	id, err := uuid.NewV7()
	if err != nil {
		return t, false, fmt.Errorf("make an id: %w", err)
	}
	params, err := ts.insertParams(id, req)
	if err != nil {
		return t, false, err
	}
	err = db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		t, err = q.TranscodeInsert(ctx, tx, params)
		if errors.Is(err, pgx.ErrNoRows) {
			t, err = q.TranscodeGetByExternalID(ctx, tx, dbsqlc.TranscodeGetByExternalIDParams{
				Tenant: req.Tenant, ExternalID: req.ExternalID,
			})
			if err == nil && !ts.Sealer.SameDigest(req.Body, t.RequestDigest) {
				err = ErrConflict
			}
			return err
		}
		if err != nil {
			return err
		}
		created = true
		if err := insertRenditions(ctx, tx, id, req.Profiles); err != nil {
			return err
		}
		err = Decider{tx, ts.River}.WakePlacement(ctx)
		Crash(CrashAccepting)
		return err
	})
	Crash(CrashAccepted)
	if err != nil {
		return t, false, fmt.Errorf("accept transcode %q of %s: %w", req.ExternalID, req.Tenant, err)
	}
	return t, created, nil
}

func (ts *Transcodes) insertParams(id uuid.UUID, req *Request) (dbsqlc.TranscodeInsertParams, error) {
	params := dbsqlc.TranscodeInsertParams{
		ID: id, Tenant: req.Tenant, Form: req.Form, Request: req.Shown, RequestDigest: ts.Sealer.Digest(req.Body),
		SourceURL: req.SourceShown, SourceSealed: ts.Sealer.Seal([]byte(req.SourceURL), SealedSource.of(id)),
		OutputURL: req.OutputShown, OutputSealed: ts.Sealer.Seal([]byte(req.OutputURL), SealedOutput.of(id)),
		CallbackURL: req.CallbackShown, CallbackSealed: ts.Sealer.Seal([]byte(req.CallbackURL), SealedCallback.of(id)),
		Metadata: req.Metadata, Events: req.Events, AttemptsLeft: maxAttempts,
	}
	if req.ExternalID != "" {
		params.ExternalID = &req.ExternalID
	}
	if len(req.Labels) > 0 {
		labels, err := json.Marshal(req.Labels)
		if err != nil {
			return params, fmt.Errorf("write the labels: %w", err)
		}
		params.Labels = labels
	}
	if req.EventsURL != "" {
		params.EventsURL, params.EventsSealed = &req.EventsShown, ts.Sealer.Seal([]byte(req.EventsURL), SealedEvents.of(id))
	}
	if req.CallbackSecret != "" {
		params.CallbackSecretSealed = ts.Sealer.Seal([]byte(req.CallbackSecret), SealedCallbackSecret.of(id))
	}
	if req.Livepeer != nil {
		text, err := json.Marshal(req.Livepeer)
		if err != nil {
			return params, fmt.Errorf("seal the Livepeer access: %w", err)
		}
		params.LivepeerSealed = ts.Sealer.Seal(text, SealedLivepeer.of(id))
	}
	return params, nil
}

func insertRenditions(ctx context.Context, tx pgx.Tx, id uuid.UUID, profiles []Profile) error {
	for i, p := range profiles {
		if err := dbsqlc.New().RenditionInsert(ctx, tx, dbsqlc.RenditionInsertParams{
			TranscodeID: id, Name: p.Name, Ordinal: int32(i), Width: int32(p.Width), Height: int32(p.Height),
			Bitrate: p.Bitrate, Quality: int32(p.Quality), FPS: int32(p.FPS), FPSDen: int32(p.FPSDen),
			GOP: p.GOP, CodecProfile: p.CodecProfile,
		}); err != nil {
			return fmt.Errorf("rendition %s: %w", p.Name, err)
		}
	}
	return nil
}

// Get reads a transcode of tenant, all of it as it was at one moment; tenant "" is any,
// for operators. One that is another tenant's is ErrNotFound too.
func (ts *Transcodes) Get(ctx context.Context, tenant string, id uuid.UUID) (detail Detail, err error) {
	err = db.Snapshot(ctx, ts.DB, func(tx pgx.Tx) error {
		t, err := dbsqlc.New().TranscodeGet(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) || err == nil && tenant != "" && t.Tenant != tenant {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		list, err := details(ctx, tx, []dbsqlc.Transcode{t})
		if err != nil {
			return err
		}
		detail = list[0]
		return nil
	})
	if err != nil {
		return Detail{}, fmt.Errorf("read transcode %s: %w", id, err)
	}
	return detail, nil
}

// List reads a page, newest first, all of it as it was at one moment.
func (ts *Transcodes) List(ctx context.Context, f Filter) (page []Detail, err error) {
	err = db.Snapshot(ctx, ts.DB, func(tx pgx.Tx) error {
		list, err := f.list(ctx, db.Replanned{On: tx})
		if err != nil {
			return err
		}
		page, err = details(ctx, tx, list)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list transcodes: %w", err)
	}
	return page, nil
}

func (f *Filter) list(ctx context.Context, on dbsqlc.DBTX) ([]dbsqlc.Transcode, error) {
	if len(f.Labels) == 0 {
		return dbsqlc.New().TranscodeList(ctx, on, dbsqlc.TranscodeListParams{
			Tenant: f.Tenant, State: f.State, ExternalID: f.ExternalID, HostID: f.HostID,
			CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, PageSize: f.Limit,
		})
	}
	if f.Tenant == nil {
		return nil, errors.New("labels are a tenant's, and none is named")
	}
	all := map[string]string{}
	for _, label := range f.Labels {
		if value, there := all[label.Key]; there && value != label.Value {
			return nil, nil // nothing has both
		}
		all[label.Key] = label.Value
	}
	labels, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return dbsqlc.New().TranscodeListByLabel(ctx, on, dbsqlc.TranscodeListByLabelParams{
		Tenant: *f.Tenant, Key: f.Labels[0].Key, Value: f.Labels[0].Value, Labels: labels,
		State: f.State, ExternalID: f.ExternalID, HostID: f.HostID,
		CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, PageSize: f.Limit,
	})
}

// details joins a page's rows with those that belong to them, in a few queries however
// long the page.
func details(ctx context.Context, tx pgx.Tx, list []dbsqlc.Transcode) ([]Detail, error) {
	q := dbsqlc.New()
	ids := make([]uuid.UUID, len(list))
	place := map[uuid.UUID]int{}
	details := make([]Detail, len(list))
	for i, t := range list {
		ids[i], place[t.ID], details[i].Transcode = t.ID, i, t
	}
	renditions, err := q.RenditionListOf(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("list renditions: %w", err)
	}
	for _, r := range renditions {
		d := &details[place[r.TranscodeID]]
		d.Renditions = append(d.Renditions, r)
	}
	attempts, err := q.AttemptListNewest(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	for _, a := range attempts {
		details[place[a.TranscodeID]].Attempt = &a
	}
	callbacks, err := q.CallbackListOf(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("list callbacks: %w", err)
	}
	for _, c := range callbacks {
		details[place[c.TranscodeID]].Callback = &c
	}
	return details, stand(ctx, tx, details)
}

// stand adds where those that are queued stand, in one query more if any is.
func stand(ctx context.Context, tx pgx.Tx, details []Detail) error {
	queued := map[uuid.UUID]*Detail{}
	for i := range details {
		if t := &details[i].Transcode; t.State == StateQueued {
			queued[t.ID] = &details[i]
		}
	}
	if len(queued) == 0 {
		return nil
	}
	positions, err := dbsqlc.New().TranscodePositions(ctx, tx, dbsqlc.TranscodePositionsParams{
		Ids: slices.Collect(maps.Keys(queued)), PageSize: positionsMost,
	})
	if err != nil {
		return fmt.Errorf("find the places in the queue: %w", err)
	}
	for _, p := range positions {
		queued[p.ID].Position = &Position{Own: p.Own, Everybodys: p.Everybodys}
	}
	return nil
}

// Cancel ends a transcode now: its state, its callback and the stop of its jobs in
// one transaction; hosts clean up behind it. One that has ended is ErrFinished, or
// nil when it was cancelled before.
func (ts *Transcodes) Cancel(ctx context.Context, tenant string, id uuid.UUID) (Detail, error) {
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		t, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && tenant != "" && t.Tenant != tenant:
			return ErrNotFound
		case err != nil:
			return err
		case t.State == StateCancelled:
			return nil
		case Terminal(t.State):
			return fmt.Errorf("%w: it %s", ErrFinished, t.State)
		}
		return Decider{tx, ts.River}.cancel(ctx, &t)
	})
	if err != nil {
		return Detail{}, fmt.Errorf("cancel transcode %s: %w", id, err)
	}
	return ts.Get(ctx, tenant, id)
}

// Retry begins a new run of a failed transcode: a new attempt for the renditions
// that are not ok, and at its end a callback of its own. One of the runs before that is
// not delivered yet goes out no more.
func (ts *Transcodes) Retry(ctx context.Context, id uuid.UUID) (Detail, error) {
	return ts.RetryRun(ctx, "", id, 0)
}

// RetryRun is Retry by a tenant; "" is any. Where run is above 0 it is the one that
// failed: what was retried since is left as it is, so that asking again is safe.
func (ts *Transcodes) RetryRun(ctx context.Context, tenant string, id uuid.UUID, run int32) (Detail, error) {
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		t, err := q.TranscodeGetForUpdate(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows) || err == nil && tenant != "" && t.Tenant != tenant:
			return ErrNotFound
		case err != nil:
			return err
		case run > 0 && t.Run > run:
			return nil
		case run > t.Run:
			return fmt.Errorf("%w: its newest run is %d", ErrNotFailed, t.Run)
		case t.State != StateFailed:
			return fmt.Errorf("%w: it is %s", ErrNotFailed, t.State)
		}
		if _, err := q.TranscodeRetry(ctx, tx, dbsqlc.TranscodeRetryParams{ID: id, AttemptsLeft: maxAttempts}); err != nil {
			return err
		}
		// Studio must not hear of an end that is none any more.
		if err := q.CallbackSupersede(ctx, tx, id); err != nil {
			return err
		}
		return Decider{tx, ts.River}.WakePlacement(ctx)
	})
	if err != nil {
		return Detail{}, fmt.Errorf("retry transcode %s: %w", id, err)
	}
	return ts.Get(ctx, tenant, id)
}
