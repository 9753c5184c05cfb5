package jobs

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/convoy"
	"weir/db/dbsqlc"
	"weir/jobs/tenants"
	"weir/jobs/trace"
	"weir/secret"
)

// What the operations on transcodes answer with; test by errors.Is.
var (
	ErrNotFound = errors.New("no such transcode")
	// ErrConflict: the tenant has used this external_id for a different request.
	ErrConflict = errors.New("this external_id was used for a different request")
	// ErrFinished: it has reached its end and can be changed no more.
	ErrFinished = errors.New("the transcode has ended already")
	// ErrNotFailed: only a failed transcode can be retried.
	ErrNotFailed = errors.New("only a failed transcode can be retried")
	// ErrReplaced: a newer one has its external_id, and would write to the same place.
	ErrReplaced = errors.New("a newer transcode of this external_id has taken its place: retry that one")
	// ErrQueueFull: as many of the tenant wait as may. The error is a [QueueFull].
	ErrQueueFull = errors.New("the tenant's queue is full")
)

// fullWait is how long a caller is told to wait before it asks a full queue again: it moves
// by a slot's turn, which takes seconds to minutes.
const fullWait = 30 * time.Second

// QueueFull is an ErrQueueFull: how many may wait, and when to ask again.
type QueueFull struct {
	Most int64
	Wait time.Duration
}

func (f *QueueFull) Error() string {
	return fmt.Sprintf("%s: %d wait, which is its limit", ErrQueueFull, f.Most)
}

// Is makes it an ErrQueueFull.
func (f *QueueFull) Is(target error) bool { return target == ErrQueueFull }

// maxAttempts is how often a transcode is tried in one run: a second try meets
// another host, a third tells a bad host from a bad source.
const maxAttempts = 3

// Transcodes are the operations of Studio and of operators. They are rows alone:
// they work while no daemon is up.
type Transcodes struct {
	DB     db.Conn
	River  *river.Client[pgx.Tx]
	Sealer *secret.Sealer
	// Inbox are the requests that nobody has accepted yet; nil: they are left out.
	Inbox Inbox
	// Trace follows what is accepted; nil: nobody does.
	Trace *trace.Tracer

	limits tenants.Limits
	shared sync.Once // sets up the convoy
	convoy convoy.Convoy[*arriving]
}

// Inbox are requests that callers have committed by SQL, and that wait for their
// acceptance. All of it happens in the transaction that is handed in.
type Inbox interface {
	// Get shows one that waits, as the queued transcode that it is going to be. Where the id
	// is one that another transcode has taken over, same is that one's. ErrNotFound: neither.
	Get(ctx context.Context, tx pgx.Tx, id uuid.UUID) (waits *Detail, same uuid.UUID, err error)
	// List is a page of those that wait, as of [Transcodes.List].
	List(ctx context.Context, tx pgx.Tx, f Filter) ([]Detail, error)
	// Accept accepts one now, if it waits still.
	Accept(ctx context.Context, tx pgx.Tx, id uuid.UUID) error
	// AcceptNamed is Accept for a tenant's that has this external_id.
	AcceptNamed(ctx context.Context, tx pgx.Tx, tenant, externalID string) error
}

// Detail is a transcode with all that belongs to its newest attempt.
type Detail struct {
	Transcode  dbsqlc.Transcode
	Attempt    *dbsqlc.Attempt
	Renditions []dbsqlc.Rendition
	// Outputs are what is made of them; none: their files alone.
	Outputs []dbsqlc.Output
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

// Filter narrows a list; nil fields do not. jobs/filter makes several of it where any of
// several values will do.
type Filter struct {
	Tenant, State, ExternalID, HostID, Code *string
	CreatedFrom, CreatedTo                  *time.Time
	EndedFrom, EndedTo                      *time.Time
	// Broadcaster is that of the newest attempt, CallbackState of the run's callback,
	// Destination the host of its URL. No index has them: a time has to be named with them.
	Broadcaster, CallbackState, Destination *string
	// Labels are all to be there; a Tenant has to be named with them.
	Labels []Label
	// BeforeAt and BeforeID are the last line of the page before.
	BeforeAt *time.Time
	BeforeID *uuid.UUID
	Limit    int32
}

// SetLadder writes the renditions of the ladder that an attempt has made of its source, in
// place of those of another source; no profiles: they stay. The caller has the transcode's
// lock, and fences the attempt.
func (d Decider) SetLadder(ctx context.Context, id uuid.UUID, attempt int32, profiles []Profile) error {
	if len(profiles) == 0 {
		return nil
	}
	if err := dbsqlc.New().RenditionDeleteLadder(ctx, d.Tx, id); err != nil {
		return fmt.Errorf("write the ladder of %s: %w", id, err)
	}
	renditions := newRenditions{Attempt: attempt}
	renditions.add(id, profiles)
	if err := renditions.insert(ctx, d.Tx); err != nil {
		return fmt.Errorf("write the ladder of %s: %w", id, err)
	}
	return nil
}

// Get reads a transcode of tenant, all of it as it was at one moment; tenant "" is any,
// for operators. One that is another tenant's is ErrNotFound too.
func (ts *Transcodes) Get(ctx context.Context, tenant string, id uuid.UUID) (detail Detail, err error) {
	err = db.Snapshot(ctx, ts.DB, func(tx pgx.Tx) error {
		t, err := dbsqlc.New().TranscodeGet(ctx, tx, id)
		if errors.Is(err, pgx.ErrNoRows) && ts.Inbox != nil {
			waits, same, found := ts.Inbox.Get(ctx, tx, id)
			switch {
			case found != nil:
				return found
			case waits != nil && tenant != "" && waits.Transcode.Tenant != tenant:
				return ErrNotFound
			case waits != nil:
				detail = *waits
				return nil
			}
			t, err = dbsqlc.New().TranscodeGet(ctx, tx, same)
		}
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
	return ts.ListAny(ctx, []Filter{f})
}

// ListAny is List of those that any of some filters means, no transcode being meant by two
// of them. Their pages are the same.
func (ts *Transcodes) ListAny(ctx context.Context, filters []Filter) (page []Detail, err error) {
	if len(filters) == 0 {
		return nil, nil
	}
	limit := int(filters[0].Limit)
	err = db.Snapshot(ctx, ts.DB, func(tx pgx.Tx) error {
		list, err := PickAny(ctx, tx, filters)
		if err != nil {
			return err
		}
		if page, err = details(ctx, tx, list); err != nil {
			return err
		}
		for _, f := range filters {
			if ts.Inbox == nil || f.ofRows() {
				continue
			}
			waiting, err := ts.Inbox.List(ctx, tx, f)
			if err != nil {
				return err
			}
			page = append(page, waiting...)
		}
		page = newest(page, limit, func(d *Detail) *dbsqlc.Transcode { return &d.Transcode })
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list transcodes: %w", err)
	}
	return page, nil
}

// PickAny is ListAny of rows alone, without what belongs to them.
func PickAny(ctx context.Context, on db.Queryer, filters []Filter) (page []dbsqlc.Transcode, err error) {
	for i := range filters {
		list, err := filters[i].list(ctx, db.Replanned{On: on})
		if err != nil {
			return nil, err
		}
		page = append(page, list...)
	}
	if len(filters) > 1 {
		page = newest(page, int(filters[0].Limit), func(t *dbsqlc.Transcode) *dbsqlc.Transcode { return t })
	}
	return page, nil
}

// CountAny counts what any of some filters means, up to a number.
func CountAny(ctx context.Context, on db.Queryer, filters []Filter, most int32) (n int64, err error) {
	for i := range filters {
		f := &filters[i]
		f.Limit = most - int32(n)
		if f.Limit <= 0 {
			break
		}
		counted, err := f.count(ctx, db.Replanned{On: on})
		if err != nil {
			return 0, fmt.Errorf("count transcodes: %w", err)
		}
		n += counted
	}
	return n, nil
}

// Now is the database's clock.
func (ts *Transcodes) Now(ctx context.Context) (time.Time, error) {
	at, err := dbsqlc.New().Clock(ctx, ts.DB)
	if err != nil {
		return time.Time{}, fmt.Errorf("ask the database for its clock: %w", err)
	}
	return at, nil
}

// Between narrows it to what was accepted from a time on, and before another; nil: any.
func (f *Filter) Between(from, to *time.Time) {
	if from != nil && (f.CreatedFrom == nil || f.CreatedFrom.Before(*from)) {
		f.CreatedFrom = from
	}
	if to != nil && (f.CreatedTo == nil || f.CreatedTo.After(*to)) {
		f.CreatedTo = to
	}
}

// ofRows says that nothing which waits in the inbox is meant.
func (f *Filter) ofRows() bool {
	return f.HostID != nil || f.State != nil && *f.State != StateQueued || f.Code != nil || len(f.Labels) > 0 ||
		f.EndedFrom != nil || f.EndedTo != nil || f.Broadcaster != nil || f.CallbackState != nil || f.Destination != nil
}

// newest are the first of a page, in the order of TranscodeList.
func newest[T any](page []T, limit int, of func(*T) *dbsqlc.Transcode) []T {
	slices.SortFunc(page, func(a, b T) int {
		x, y := of(&a), of(&b)
		return cmp.Or(y.CreatedAt.Compare(x.CreatedAt), bytes.Compare(y.ID[:], x.ID[:]))
	})
	return page[:min(len(page), limit)]
}

func (f *Filter) list(ctx context.Context, on dbsqlc.DBTX) ([]dbsqlc.Transcode, error) {
	if len(f.Labels) == 0 {
		return dbsqlc.New().TranscodeList(ctx, on, dbsqlc.TranscodeListParams{
			Tenant: f.Tenant, State: f.State, ExternalID: f.ExternalID, HostID: f.HostID, Code: f.Code,
			EndedFrom: f.EndedFrom, EndedTo: f.EndedTo, Destination: f.Destination, Broadcaster: f.Broadcaster, CallbackState: f.CallbackState,
			CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, PageSize: f.Limit,
		})
	}
	labels, err := f.labels()
	if err != nil || labels == nil {
		return nil, err
	}
	return dbsqlc.New().TranscodeListByLabel(ctx, on, dbsqlc.TranscodeListByLabelParams{
		Tenant: *f.Tenant, Key: f.Labels[0].Key, Value: f.Labels[0].Value, Labels: labels,
		State: f.State, ExternalID: f.ExternalID, HostID: f.HostID, Code: f.Code,
		EndedFrom: f.EndedFrom, EndedTo: f.EndedTo, Destination: f.Destination, Broadcaster: f.Broadcaster, CallbackState: f.CallbackState,
		CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, PageSize: f.Limit,
	})
}

func (f *Filter) count(ctx context.Context, on dbsqlc.DBTX) (int64, error) {
	if len(f.Labels) == 0 {
		return dbsqlc.New().TranscodeCount(ctx, on, dbsqlc.TranscodeCountParams{
			Tenant: f.Tenant, State: f.State, ExternalID: f.ExternalID, HostID: f.HostID, Code: f.Code,
			EndedFrom: f.EndedFrom, EndedTo: f.EndedTo, Destination: f.Destination, Broadcaster: f.Broadcaster, CallbackState: f.CallbackState,
			CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, PageSize: f.Limit,
		})
	}
	labels, err := f.labels()
	if err != nil || labels == nil {
		return 0, err
	}
	return dbsqlc.New().TranscodeCountByLabel(ctx, on, dbsqlc.TranscodeCountByLabelParams{
		Tenant: *f.Tenant, Key: f.Labels[0].Key, Value: f.Labels[0].Value, Labels: labels,
		State: f.State, ExternalID: f.ExternalID, HostID: f.HostID, Code: f.Code,
		EndedFrom: f.EndedFrom, EndedTo: f.EndedTo, Destination: f.Destination, Broadcaster: f.Broadcaster, CallbackState: f.CallbackState,
		CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo, PageSize: f.Limit,
	})
}

// labels are all that have to be there, as JSON; nil: nothing has them all.
func (f *Filter) labels() (json.RawMessage, error) {
	if f.Tenant == nil {
		return nil, errors.New("labels are a tenant's, and none is named")
	}
	all := map[string]string{}
	for _, label := range f.Labels {
		if value, there := all[label.Key]; there && value != label.Value {
			return nil, nil
		}
		all[label.Key] = label.Value
	}
	return json.Marshal(all)
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
	outputs, err := q.OutputListOf(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("list outputs: %w", err)
	}
	for _, o := range outputs {
		d := &details[place[o.TranscodeID]]
		d.Outputs = append(d.Outputs, o)
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
		if err := ts.arrive(ctx, tx, tenant, &id); err != nil {
			return err
		}
		return ts.CancelTx(ctx, tx, tenant, id)
	})
	if err != nil {
		return Detail{}, fmt.Errorf("cancel transcode %s: %w", id, err)
	}
	return ts.Get(ctx, tenant, id)
}

// CancelTx is Cancel of one that has its rows, within a transaction.
func (ts *Transcodes) CancelTx(ctx context.Context, tx pgx.Tx, tenant string, id uuid.UUID) error {
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
}

// arrive sees to it that what waits in the inbox under id, and is the tenant's, has its rows;
// id becomes that of the transcode that it stands for.
func (ts *Transcodes) arrive(ctx context.Context, tx pgx.Tx, tenant string, id *uuid.UUID) error {
	if ts.Inbox == nil {
		return nil
	}
	waits, same, err := ts.Inbox.Get(ctx, tx, *id)
	switch {
	case errors.Is(err, ErrNotFound) || err == nil && waits != nil && tenant != "" && waits.Transcode.Tenant != tenant:
		return nil
	case err != nil:
		return err
	case waits == nil:
		*id = same
		return nil
	}
	if err := ts.Inbox.Accept(ctx, tx, *id); err != nil {
		return err
	}
	if _, same, err = ts.Inbox.Get(ctx, tx, *id); err == nil {
		*id = same
	}
	return err
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
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error { return ts.RetryTx(ctx, tx, tenant, id, run) })
	if err != nil {
		return Detail{}, fmt.Errorf("retry transcode %s: %w", id, err)
	}
	return ts.Get(ctx, tenant, id)
}

// RetryTx is RetryRun within a transaction.
func (ts *Transcodes) RetryTx(ctx context.Context, tx pgx.Tx, tenant string, id uuid.UUID, run int32) error {
	t, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, id)
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
	case t.FormerExternalID != nil:
		return ErrReplaced
	}
	return ts.retry(ctx, tx, &t)
}

// Bump changes the priority of a transcode that has not ended: of one that waits its place
// in its tenant's queue, of another the place that it would have there again.
func (ts *Transcodes) Bump(ctx context.Context, id uuid.UUID, priority int) (Detail, error) {
	if priority < MostUrgent || priority > LeastUrgent {
		return Detail{}, fmt.Errorf("bump transcode %s: the priority is %d: give %d, the most urgent, to %d", id, priority, MostUrgent, LeastUrgent)
	}
	err := db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		t, err := q.TranscodeGetForUpdate(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case Terminal(t.State):
			return fmt.Errorf("%w: it %s", ErrFinished, t.State)
		}
		if err := q.TranscodeSetPriority(ctx, tx, dbsqlc.TranscodeSetPriorityParams{ID: id, Priority: int16(priority)}); err != nil {
			return err
		}
		return Decider{tx, ts.River}.WakePlacement(ctx)
	})
	if err != nil {
		return Detail{}, fmt.Errorf("bump transcode %s: %w", id, err)
	}
	return ts.Get(ctx, "", id)
}

// retry begins the new run of a failed transcode that the caller has locked.
func (ts *Transcodes) retry(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	if _, err := q.TranscodeRetry(ctx, tx, dbsqlc.TranscodeRetryParams{ID: t.ID, AttemptsLeft: maxAttempts}); err != nil {
		return err
	}
	// Studio must not hear of an end that is none any more.
	if err := q.CallbackSupersede(ctx, tx, t.ID); err != nil {
		return err
	}
	return Decider{tx, ts.River}.WakePlacement(ctx)
}
