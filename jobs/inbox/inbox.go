// Package inbox is the way of requests by SQL: a caller commits them in its own
// transaction (weir.enqueue_transcode), and here they become what a request by HTTP
// becomes at once. Between the two their secrets stand open in weir.inbox, for the role of
// the daemons alone.
package inbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// Reader makes requests of tenants' bodies as the API does.
type Reader interface {
	// Read returns in refused all that is wrong with a body, in words that hold nothing of
	// it; the request is then what could be read.
	Read(ctx context.Context, tenant string, body []byte) (req *jobs.Request, refused []string, err error)
}

// Inbox are the requests that wait. It implements jobs.Inbox.
type Inbox struct {
	Transcodes *jobs.Transcodes
	// Reader is nil where bodies may not be read: what waits is listed then without them,
	// and stays.
	Reader Reader
}

// Open lets the operations know what waits.
func Open(transcodes *jobs.Transcodes, reader Reader) *Inbox {
	in := &Inbox{Transcodes: transcodes, Reader: reader}
	transcodes.Inbox = in
	return in
}

// Accept implements jobs.Inbox. What can't be accepted is told as a failed transcode: its
// id is known to the caller.
func (in *Inbox) Accept(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	if in.Reader == nil {
		return fmt.Errorf("accept %s: it waits for a daemon", id)
	}
	q := dbsqlc.New()
	row, err := q.InboxTake(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take %s out of the inbox: %w", id, err)
	}
	req, refused, err := in.Reader.Read(ctx, row.Tenant, row.Body)
	if err != nil {
		return fmt.Errorf("accept %s: %w", id, err)
	}
	as, err := in.accept(ctx, tx, &row, req, refused)
	if err != nil {
		return fmt.Errorf("accept %s: %w", id, err)
	}
	if err := q.EnqueuedInsert(ctx, tx, dbsqlc.EnqueuedInsertParams{ID: id, TranscodeID: as, Digest: row.Digest}); err != nil {
		return fmt.Errorf("accept %s: %w", id, err)
	}
	return nil
}

// accept returns the transcode that the request is from now on: a new one, or the one that
// it repeats, which the API has taken meanwhile.
func (in *Inbox) accept(ctx context.Context, tx pgx.Tx, row *dbsqlc.InboxRow, req *jobs.Request, refused []string) (uuid.UUID, error) {
	came := jobs.Arrival{ID: row.ID, At: &row.CreatedAt}
	if len(refused) > 0 {
		return row.ID, in.Transcodes.RefuseTx(ctx, tx, came, req, &jobs.Failure{
			Code: jobs.CodeRequestRefused, Stage: jobs.StageQueue,
			Text: jobs.KindOf(jobs.CodeRequestRefused).Words + " " + strings.Join(refused, "; "),
		})
	}
	var t dbsqlc.Transcode
	err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) (err error) { // what it can't keep is undone
		t, _, err = in.Transcodes.AcceptTx(ctx, tx, came, req)
		return err
	})
	if what, is := unkept(err); is {
		refused := *req
		refused.Metadata, refused.Labels = nil, nil
		return row.ID, in.Transcodes.RefuseTx(ctx, tx, came, &refused, &jobs.Failure{
			Code: jobs.CodeRequestRefused, Stage: jobs.StageQueue,
			Text: jobs.KindOf(jobs.CodeRequestRefused).Words + " it holds what can't be kept", Detail: what,
		})
	}
	if errors.Is(err, jobs.ErrConflict) {
		return row.ID, in.Transcodes.RefuseTx(ctx, tx, came, req, jobs.Failed(jobs.CodeExternalIDTaken, jobs.StageQueue, "by transcode "+t.ID.String()))
	}
	return t.ID, err
}

// unkept says what the schema refuses of a request that seemed to be right: the name of a
// constraint, or a code of Postgres'. Another try would be refused again, while its secrets stand
// open. Postgres' own words are not for anybody: they have the row in them.
func unkept(err error) (what string, is bool) {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || refused.Code != checkViolation && !strings.HasPrefix(refused.Code, dataException) {
		return "", false
	}
	return cmp.Or(refused.ConstraintName, refused.Code), true
}

// Codes of Postgres': a constraint that is not met, and the class of values that can't be.
const (
	checkViolation = "23514"
	dataException  = "22"
)

// AcceptNamed implements jobs.Inbox.
func (in *Inbox) AcceptNamed(ctx context.Context, tx pgx.Tx, tenant, externalID string) error {
	id, err := dbsqlc.New().InboxFind(ctx, tx, dbsqlc.InboxFindParams{Tenant: tenant, ExternalID: externalID})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for %q in the inbox: %w", externalID, err)
	}
	return in.Accept(ctx, tx, id)
}

// Get implements jobs.Inbox.
func (in *Inbox) Get(ctx context.Context, tx pgx.Tx, id uuid.UUID) (waits *jobs.Detail, same uuid.UUID, err error) {
	q := dbsqlc.New()
	head, err := q.InboxGet(ctx, tx, id)
	if err == nil {
		list, err := in.details(ctx, tx, []dbsqlc.InboxListRow{dbsqlc.InboxListRow(head)})
		if err != nil {
			return nil, same, err
		}
		return &list[0], same, nil
	}
	if errors.Is(err, pgx.ErrNoRows) {
		same, err = q.EnqueuedGet(ctx, tx, id)
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, same, jobs.ErrNotFound
	}
	if err != nil {
		return nil, same, fmt.Errorf("look for %s in the inbox: %w", id, err)
	}
	return nil, same, nil
}

// List implements jobs.Inbox.
func (in *Inbox) List(ctx context.Context, tx pgx.Tx, f jobs.Filter) ([]jobs.Detail, error) {
	heads, err := dbsqlc.New().InboxList(ctx, tx, dbsqlc.InboxListParams{
		Tenant: f.Tenant, ExternalID: f.ExternalID, CreatedFrom: f.CreatedFrom, CreatedTo: f.CreatedTo,
		BeforeAt: f.BeforeAt, BeforeID: f.BeforeID, PageSize: f.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list the inbox: %w", err)
	}
	return in.details(ctx, tx, heads)
}

// details shows what waits as the transcodes that it is going to be. One whose body can't be
// read, or was taken out meanwhile, is there without what is in it.
func (in *Inbox) details(ctx context.Context, tx pgx.Tx, heads []dbsqlc.InboxListRow) ([]jobs.Detail, error) {
	list := make([]jobs.Detail, len(heads))
	ids := make([]uuid.UUID, len(heads))
	for i, head := range heads {
		ids[i] = head.ID
		list[i].Transcode = dbsqlc.Transcode{
			ID: head.ID, Tenant: head.Tenant, ExternalID: head.ExternalID, State: jobs.StateQueued, Form: jobs.FormV1,
			Priority: jobs.DefaultPriority, Run: 1, CreatedAt: head.CreatedAt, UpdatedAt: head.CreatedAt, RunAt: head.CreatedAt,
			Request: []byte("{}"), Warnings: []byte("[]"),
		}
	}
	if in.Reader == nil || len(heads) == 0 {
		return list, nil
	}
	bodies, err := dbsqlc.New().InboxBodies(ctx, tx, ids)
	if err != nil {
		return nil, fmt.Errorf("read requests of the inbox: %w", err)
	}
	for _, row := range bodies {
		d := &list[slices.Index(ids, row.ID)]
		if req, _, err := in.Reader.Read(ctx, d.Transcode.Tenant, row.Body); err == nil {
			show(d, req)
		}
	}
	return list, nil
}

func show(d *jobs.Detail, req *jobs.Request) {
	d.Transcode.SourceURL, d.Transcode.OutputURL, d.Transcode.CallbackURL = req.SourceShown, req.OutputShown, req.CallbackShown
	d.Transcode.Request = req.Shown
	if req.Priority != nil {
		d.Transcode.Priority = int16(*req.Priority)
	}
	*d = req.Of(&d.Transcode)
}
