package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// acceptPatience is twice what a shared transaction takes: behind one that takes longer, those
// that wait go past it.
const acceptPatience = 5 * time.Millisecond

// Arrival is under which id, and when, a request came.
type Arrival struct {
	ID uuid.UUID
	At *time.Time // nil: now
}

// An arriving request is one on its way into rows.
type arriving struct {
	Arrival
	*Request

	accepted *dbsqlc.Transcode // nil: not, or not yet
}

// Accept commits a request: the transcode, its renditions (none where the ladder is to be
// made from the source) and the job that places it, in one transaction. created is false
// when the tenant has sent the same request under the same external_id before: the first
// one is returned. A different one is ErrConflict, but for FormVOD, which posts a task anew
// that way (again). Requests that come at once share a transaction.
func (ts *Transcodes) Accept(ctx context.Context, req *Request) (t dbsqlc.Transcode, created bool, err error) {
	began := time.Now()
	id, err := uuid.NewV7()
	if err != nil {
		return t, false, fmt.Errorf("make an id: %w", err)
	}
	if err := ts.admit(ctx, req); err != nil {
		return t, false, fmt.Errorf("accept transcode %q of %s: %w", req.ExternalID, req.Tenant, err)
	}
	ts.shared.Do(func() { ts.convoy.Together, ts.convoy.Patience = ts.acceptFresh, acceptPatience })
	came := &arriving{Arrival: Arrival{ID: id}, Request: req}
	if err = ts.convoy.Do(ctx, came); err == nil && came.accepted == nil {
		t, created, err = ts.acceptNamed(ctx, came)
	}
	Crash(CrashAccepted)
	if err != nil {
		return t, false, fmt.Errorf("accept transcode %q of %s: %w", req.ExternalID, req.Tenant, err)
	}
	if came.accepted != nil {
		t, created = *came.accepted, true
	}
	if created {
		ts.Trace.RecordAccept(ctx, t.ID, began, "tenant", t.Tenant, "form", t.Form)
	}
	return t, created, nil
}

// acceptFresh accepts, in one transaction, those of some requests whose external_ids are new.
// It may be tried again where what came of it is unknown: what stands stays as it is.
func (ts *Transcodes) acceptFresh(ctx context.Context, all []*arriving) error {
	// In order, so that two transactions that hold the same ones don't wait for each other.
	ordered := slices.SortedFunc(slices.Values(all), func(a, b *arriving) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.ExternalID, b.ExternalID))
	})
	return db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		err := ts.insert(ctx, tx, dbsqlc.TranscodeInsertParams{FreshOnly: true}, ordered)
		Crash(CrashAccepting)
		return err
	})
}

// acceptNamed accepts one that has an external_id which was used before.
func (ts *Transcodes) acceptNamed(ctx context.Context, came *arriving) (t dbsqlc.Transcode, created bool, err error) {
	err = db.InTx(ctx, ts.DB, func(tx pgx.Tx) error {
		if ts.Inbox != nil { // what came by SQL before comes first
			if err := ts.Inbox.AcceptNamed(ctx, tx, came.Tenant, came.ExternalID); err != nil {
				return err
			}
		}
		t, created, err = ts.AcceptTx(ctx, tx, came.Arrival, came.Request)
		Crash(CrashAccepting)
		return err
	})
	return t, created, err
}

// admit refuses what a full queue can't take. A request that was accepted before adds
// nothing to it.
func (ts *Transcodes) admit(ctx context.Context, req *Request) error {
	most, ok, err := ts.limits.Admit(ctx, ts.DB, req.Tenant)
	if err != nil || ok {
		return err
	}
	if req.ExternalID != "" {
		_, err := dbsqlc.New().TranscodeGetByExternalID(ctx, ts.DB, dbsqlc.TranscodeGetByExternalIDParams{Tenant: req.Tenant, ExternalID: req.ExternalID})
		if err == nil || !errors.Is(err, pgx.ErrNoRows) {
			return err
		}
	}
	return &QueueFull{Most: most, Wait: fullWait}
}

// AcceptTx is Accept within a transaction, which the caller commits where err is nil. No
// limit of the queue is in its way.
func (ts *Transcodes) AcceptTx(ctx context.Context, tx pgx.Tx, came Arrival, req *Request) (t dbsqlc.Transcode, created bool, err error) {
	if req.Form == FormVOD && req.ExternalID != "" {
		first, err := ts.again(ctx, tx, req)
		if err != nil {
			return t, false, err
		}
		if first != nil {
			return *first, false, nil
		}
	}
	one := &arriving{Arrival: came, Request: req}
	if err := ts.insert(ctx, tx, dbsqlc.TranscodeInsertParams{CreatedAt: came.At}, []*arriving{one}); err != nil {
		return t, false, err
	}
	if one.accepted != nil {
		return *one.accepted, true, nil
	}
	t, err = dbsqlc.New().TranscodeGetByExternalID(ctx, tx, dbsqlc.TranscodeGetByExternalIDParams{
		Tenant: req.Tenant, ExternalID: req.ExternalID,
	})
	if err == nil && !ts.Sealer.SameDigest(req.Body, t.RequestDigest) {
		err = ErrConflict
	}
	return t, false, err
}

// insert writes the rows of some requests that came at one time, and has them placed. It leaves
// out those whose tenant has used their external_id already, and what stands under their ids.
func (ts *Transcodes) insert(ctx context.Context, tx pgx.Tx, of dbsqlc.TranscodeInsertParams, all []*arriving) error {
	q, together := dbsqlc.New(), &db.Pipeline{On: tx}
	if err := ts.insertRows(ctx, together, of, all); err != nil {
		return err
	}
	// Before the look for a round that waits, as in WakePlacement.
	if err := q.PlaceWakeHold(ctx, together); err != nil {
		return fmt.Errorf("wake the placement: %w", err)
	}
	stand, err := standing(ctx, together, all)
	if err != nil || len(stand) == 0 || stand[0].RoundWaits {
		return err
	}
	return Decider{tx, ts.River}.insertRound(ctx)
}

// insertRows writes the rows of some requests by statements that are on their way then.
func (ts *Transcodes) insertRows(ctx context.Context, together *db.Pipeline, of dbsqlc.TranscodeInsertParams, all []*arriving) error {
	of.AttemptsLeft = maxAttempts
	var renditions newRenditions
	var outputs newOutputs
	for _, came := range all {
		if err := ts.params(&of, came.ID, came.Request); err != nil {
			return err
		}
		renditions.add(came.ID, came.Profiles)
		if err := outputs.add(ts.Sealer, came.ID, came.Request); err != nil {
			return err
		}
	}
	if err := dbsqlc.New().TranscodeInsert(ctx, together, of); err != nil {
		return fmt.Errorf("insert %d transcodes: %w", len(all), err)
	}
	if err := renditions.insert(ctx, together); err != nil {
		return err
	}
	return outputs.insert(ctx, together)
}

// standing finds out which of some stand.
func standing(ctx context.Context, together *db.Pipeline, all []*arriving) ([]dbsqlc.TranscodeAcceptedRow, error) {
	by, ids := make(map[uuid.UUID]*arriving, len(all)), make([]uuid.UUID, len(all))
	for i, came := range all {
		came.accepted = nil // what was tried before may be undone
		by[came.ID], ids[i] = came, came.ID
	}
	rows, err := dbsqlc.New().TranscodeAccepted(ctx, together, ids)
	if err != nil {
		return nil, fmt.Errorf("insert %d transcodes: %w", len(all), err)
	}
	for i := range rows {
		by[rows[i].Transcode.ID].accepted = &rows[i].Transcode
	}
	return rows, nil
}

// taskMost is how many of a task's transcodes are looked at: Studio tries one three times,
// and again when somebody asks.
const taskMost = 100

// again is what became of a task before, where the request is nothing new; else the way is
// free for it, and what it replaces is cancelled.
//
// The same body is the first one again. Studio counts its attempts anew when a person has a
// task retried, so the body of an end may come again, and waits for another one: a failure
// begins a new run, a success is told again. Of what was replaced it is a late repetition
// while the newer one is open, and something new afterwards.
func (ts *Transcodes) again(ctx context.Context, tx pgx.Tx, req *Request) (*dbsqlc.Transcode, error) {
	q := dbsqlc.New()
	locked := &db.Pipeline{On: tx}
	if err := q.TaskLock(ctx, locked, dbsqlc.TaskLockParams{Tenant: req.Tenant, ExternalID: req.ExternalID}); err != nil {
		return nil, err
	}
	before, err := q.TranscodeListOfTask(ctx, locked, dbsqlc.TranscodeListOfTaskParams{
		Tenant: req.Tenant, ExternalID: req.ExternalID, PageSize: taskMost,
	})
	if err != nil {
		return nil, err
	}
	var newest, same *dbsqlc.Transcode
	for i := range before {
		t := &before[i]
		if t.ExternalID != nil {
			if *t, err = q.TranscodeGetForUpdate(ctx, tx, t.ID); err != nil { // it moves until it is locked
				return nil, err
			}
			newest = t
		}
		if same == nil && ts.Sealer.SameDigest(req.Body, t.RequestDigest) {
			same = t
		}
	}
	switch {
	case newest == nil:
		return nil, nil
	case newest.Form != FormVOD:
		return nil, ErrConflict
	case same != nil && same != newest && !Terminal(newest.State):
		return same, nil
	case same != newest, newest.State == StateCancelled:
		return nil, ts.replace(ctx, tx, newest)
	case newest.State == StateFailed:
		return same, ts.retry(ctx, tx, newest)
	case newest.State == StateSucceeded:
		return same, ts.tellAgain(ctx, tx, newest)
	default:
		return same, nil
	}
}

// replace makes way for a newer transcode of the same task. Nobody hears of the older one's
// end: its task goes on, and takes what is said of an attempt for its own progress.
func (ts *Transcodes) replace(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	if !Terminal(t.State) {
		if err := (Decider{tx, ts.River}).cancel(ctx, t); err != nil {
			return fmt.Errorf("cancel %s: %w", t.ID, err)
		}
	}
	if t.State != StateSucceeded { // its outputs stand
		if err := q.CallbackSupersede(ctx, tx, t.ID); err != nil {
			return err
		}
	}
	return q.TranscodeReplace(ctx, tx, t.ID)
}

// tellAgain has the callback of a success sent once more, unless it is still to come.
func (ts *Transcodes) tellAgain(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode) error {
	told, err := dbsqlc.New().CallbackListOf(ctx, tx, []uuid.UUID{t.ID})
	if err != nil {
		return err
	}
	for _, c := range told {
		if c.State == CallbackPending {
			continue
		}
		if _, err := ts.River.InsertTx(ctx, tx, CallbackArgs{CallbackID: c.ID, Redelivery: true}, nil); err != nil {
			return err
		}
	}
	return nil
}

// RefuseTx commits a request that can't be accepted, and whose sender has its id already,
// as a transcode that failed: it is told so by the callback. It has no external_id, which
// is left to the request that is mended.
func (ts *Transcodes) RefuseTx(ctx context.Context, tx pgx.Tx, came Arrival, req *Request, f *Failure) error {
	refused := *req
	refused.ExternalID, refused.Outputs, refused.Clip = "", nil, nil
	one := &arriving{Arrival: came, Request: &refused}
	together := &db.Pipeline{On: tx}
	if err := ts.insertRows(ctx, together, dbsqlc.TranscodeInsertParams{CreatedAt: came.At}, []*arriving{one}); err != nil {
		return err
	}
	if _, err := standing(ctx, together, []*arriving{one}); err != nil {
		return err
	}
	q := dbsqlc.New()
	if err := q.RenditionFailOpen(ctx, tx, dbsqlc.RenditionFailOpenParams{
		TranscodeID: came.ID, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
	}); err != nil {
		return err
	}
	return Decider{tx, ts.River}.fail(ctx, one.accepted, f)
}

// params adds a request's row.
func (ts *Transcodes) params(to *dbsqlc.TranscodeInsertParams, id uuid.UUID, req *Request) error {
	seal := func(text string, is Sealed) []byte { return ts.Sealer.Seal([]byte(text), is.of(id)) }
	sealed := func(text string, is Sealed) []byte {
		if text == "" {
			return nil
		}
		return seal(text, is)
	}
	labels, livepeer := string(emptyObject), ""
	if len(req.Labels) > 0 {
		text, err := json.Marshal(req.Labels)
		if err != nil {
			return fmt.Errorf("write the labels: %w", err)
		}
		labels = string(text)
	}
	if req.Livepeer != nil {
		text, err := json.Marshal(req.Livepeer)
		if err != nil {
			return fmt.Errorf("seal the Livepeer access: %w", err)
		}
		livepeer = string(text)
	}
	clip := Clip{StartMS: noTime, EndMS: noTime}
	if req.Clip != nil {
		clip = *req.Clip
	}
	priority := int16(DefaultPriority)
	if req.Priority != nil {
		priority = int16(*req.Priority)
	}
	to.Ids, to.Tenants, to.ExternalIds = append(to.Ids, id), append(to.Tenants, req.Tenant), append(to.ExternalIds, req.ExternalID)
	to.Forms, to.Requests = append(to.Forms, req.Form), append(to.Requests, string(req.Shown))
	to.RequestDigests = append(to.RequestDigests, ts.Sealer.Digest(req.Body))
	to.SourceUrls, to.SourceSeals = append(to.SourceUrls, req.SourceShown), append(to.SourceSeals, seal(req.SourceURL, SealedSource))
	to.OutputUrls, to.OutputSeals = append(to.OutputUrls, req.OutputShown), append(to.OutputSeals, seal(req.OutputURL, SealedOutput))
	to.CallbackUrls, to.CallbackSeals = append(to.CallbackUrls, req.CallbackShown), append(to.CallbackSeals, seal(req.CallbackURL, SealedCallback))
	to.LivepeerSeals = append(to.LivepeerSeals, sealed(livepeer, SealedLivepeer))
	to.CallbackSecretSeals = append(to.CallbackSecretSeals, sealed(string(req.CallbackSecret), SealedCallbackSecret))
	to.Metadata, to.Labels = append(to.Metadata, cmp.Or(string(req.Metadata), string(emptyObject))), append(to.Labels, labels)
	to.Events = append(to.Events, strings.Join(req.Events, ","))
	to.EventsUrls, to.EventsSeals = append(to.EventsUrls, req.EventsShown), append(to.EventsSeals, sealed(req.EventsURL, SealedEvents))
	to.Packages, to.Ladders, to.Priorities = append(to.Packages, req.Packages()), append(to.Ladders, len(req.Profiles) == 0), append(to.Priorities, priority)
	to.ClipStartsMs, to.ClipEndsMs, to.ClipClocks = append(to.ClipStartsMs, clip.StartMS), append(to.ClipEndsMs, clip.EndMS), append(to.ClipClocks, clip.Clock)
	return nil
}

// noTime stands for a clip's time that there is not.
const noTime = -1

// newRenditions are rows of the same attempt.
type newRenditions dbsqlc.RenditionInsertParams

func (n *newRenditions) add(id uuid.UUID, profiles []Profile) {
	for i, p := range profiles {
		n.TranscodeIds, n.Names, n.Ordinals = append(n.TranscodeIds, id), append(n.Names, p.Name), append(n.Ordinals, int32(i))
		n.Widths, n.Heights = append(n.Widths, int32(p.Width)), append(n.Heights, int32(p.Height))
		n.Bitrates, n.Qualities = append(n.Bitrates, p.Bitrate), append(n.Qualities, int32(p.Quality))
		n.FPS, n.FpsDens = append(n.FPS, int32(p.FPS)), append(n.FpsDens, int32(p.FPSDen))
		n.Gops, n.CodecProfiles = append(n.Gops, p.GOP), append(n.CodecProfiles, p.CodecProfile)
	}
}

func (n *newRenditions) insert(ctx context.Context, tx dbsqlc.DBTX) error {
	if len(n.Names) == 0 {
		return nil
	}
	if err := dbsqlc.New().RenditionInsert(ctx, tx, dbsqlc.RenditionInsertParams(*n)); err != nil {
		return fmt.Errorf("insert %d renditions: %w", len(n.Names), err)
	}
	return nil
}
