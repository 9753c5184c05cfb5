package bulk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs/audit"
	"weir/jobs/filter"
)

const (
	// CountMost is how far what a filter means is counted; one more stands for all beyond.
	CountMost = 10_000
	// DefaultRate is per second: more than a fleet takes up, and little beside what Postgres
	// and the receivers of callbacks have to do anyway.
	DefaultRate = 20
	// MaxRate is about what one connection does, an item after the other.
	MaxRate = 500
)

// What the operations answer with; test by errors.Is.
var (
	ErrNotFound = errors.New("no such bulk operation")
	// ErrEnded: it can be changed no more.
	ErrEnded = errors.New("the bulk operation has ended")
)

// The states of an operation.
const (
	StateRunning   = "running"
	StatePaused    = "paused"
	StateDone      = "done"
	StateCancelled = "cancelled"
)

// Operations are the operators' operations on many transcodes. They are rows alone.
type Operations struct {
	DB    db.Conn
	River *river.Client[pgx.Tx]
}

// By is who changes something, from where and why. Dry: it is done and rolled back.
type By struct {
	Who, Via, Reason string
	Dry              bool
}

// Request is what to do with which transcodes.
type Request struct {
	Kind   Kind
	Filter filter.Filter
	// PerSecond is how many items are done in a second at the most; 0: DefaultRate.
	PerSecond int
}

// Count is how many are meant; More: and more than that.
type Count struct {
	N    int64
	More bool
}

// CountOf is a row's.
func CountOf(counted int64) Count {
	return Count{N: min(counted, CountMost), More: counted > CountMost}
}

// String is as people read it.
func (c Count) String() string {
	text := fmt.Sprint(c.N)
	if c.N >= 1000 { //nolint:mnd // thousands
		text = fmt.Sprintf("%d,%03d", c.N/1000, c.N%1000) //nolint:mnd // thousands
	}
	if c.More {
		text += "+"
	}
	return text
}

// Why is how many items were skipped, or failed, for one reason.
type Why struct {
	Why   string `json:"why"`
	Items int64  `json:"items"`
}

// Example is one of them.
type Example struct {
	ID     uuid.UUID `json:"id"`
	Failed bool      `json:"failed"`
	Why    string    `json:"why"`
}

// Count counts what would be dealt with, now. Start counts again: the truth is what it says.
func (o *Operations) Count(ctx context.Context, kind Kind, f filter.Filter) (Count, error) {
	if err := kind.complete(&f); err != nil {
		return Count{}, err
	}
	now, err := dbsqlc.New().Clock(ctx, o.DB)
	if err != nil {
		return Count{}, fmt.Errorf("count: %w", err)
	}
	counted, err := count(ctx, o.DB, kind, &f, now)
	return CountOf(counted), err
}

// Start begins an operation. Its filter gets the states that its kind implies, and has to
// leave something out otherwise. With by.Dry all is rolled back: the row says what would be.
func (o *Operations) Start(ctx context.Context, by By, r Request) (op dbsqlc.BulkOperation, err error) {
	if r.Filter.Empty() {
		return op, errors.New("a bulk operation needs a filter: it would be about all transcodes")
	}
	if err := r.Kind.complete(&r.Filter); err != nil {
		return op, err
	}
	r.PerSecond = cmp.Or(r.PerSecond, DefaultRate)
	if r.PerSecond < 1 || r.PerSecond > MaxRate {
		return op, fmt.Errorf("the rate is %d: give 1 to %d in a second", r.PerSecond, MaxRate)
	}
	if err := by.check(); err != nil {
		return op, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return op, fmt.Errorf("make an id: %w", err)
	}
	detail := map[string]any{"operation": id, "per_second": r.PerSecond}
	text := r.Filter.String()
	action := &audit.Action{Who: by.Who, Via: by.Via, What: r.Kind.words(), Target: shortened(text), Reason: by.Reason, Detail: detail}
	err = audit.Do(ctx, o.DB, action, by.Dry, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		now, err := q.Clock(ctx, tx)
		if err != nil {
			return err
		}
		counted, err := count(ctx, tx, r.Kind, &r.Filter, now)
		if err != nil {
			return err
		}
		detail["counted"] = counted
		op, err = q.BulkInsert(ctx, tx, dbsqlc.BulkInsertParams{
			ID: id, Kind: string(r.Kind), Filter: text, Who: by.Who, Via: by.Via, Reason: by.Reason, PerSecond: int32(r.PerSecond), Counted: counted,
		})
		if err != nil {
			return err
		}
		return o.insert(ctx, tx, id)
	})
	if err != nil {
		return op, fmt.Errorf("start to %s %s: %w", r.Kind, text, err)
	}
	return op, nil
}

// targetMost is what an action's target may be; a longer filter is whole in the operation.
const targetMost = 1000

func shortened(text string) string {
	if letters := []rune(text); len(letters) > targetMost {
		return string(letters[:targetMost])
	}
	return text
}

func (b *By) check() error {
	if strings.TrimSpace(b.Reason) == "" {
		return errors.New("a reason is missing: say why, for whoever finds it so")
	}
	return nil
}

// Get reads an operation.
func (o *Operations) Get(ctx context.Context, id uuid.UUID) (dbsqlc.BulkOperation, error) {
	op, err := dbsqlc.New().BulkGet(ctx, o.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return op, fmt.Errorf("read bulk operation %s: %w", id, err)
	}
	return op, nil
}

// Page is which operations to list; before: the last one of the page before.
type Page struct {
	Open     bool
	BeforeAt *time.Time
	BeforeID *uuid.UUID
	Limit    int32
}

// List reads operations, newest first.
func (o *Operations) List(ctx context.Context, p Page) ([]dbsqlc.BulkOperation, error) {
	list, err := dbsqlc.New().BulkList(ctx, db.Replanned{On: o.DB}, dbsqlc.BulkListParams{
		Open: p.Open, BeforeAt: p.BeforeAt, BeforeID: p.BeforeID, PageSize: p.Limit,
	})
	if err != nil {
		return nil, fmt.Errorf("list bulk operations: %w", err)
	}
	return list, nil
}

// Pause holds an operation up: no item is done from its answer on. Pausing again is no error.
func (o *Operations) Pause(ctx context.Context, by By, id uuid.UUID) (dbsqlc.BulkOperation, error) {
	return o.set(ctx, by, id, "bulk pause", StatePaused)
}

// Resume lets one go on that was paused.
func (o *Operations) Resume(ctx context.Context, by By, id uuid.UUID) (dbsqlc.BulkOperation, error) {
	return o.set(ctx, by, id, "bulk resume", StateRunning)
}

// Cancel ends one; what it has done stays done.
func (o *Operations) Cancel(ctx context.Context, by By, id uuid.UUID) (dbsqlc.BulkOperation, error) {
	if err := by.check(); err != nil {
		return dbsqlc.BulkOperation{}, err
	}
	return o.set(ctx, by, id, "bulk cancel", StateCancelled)
}

func (o *Operations) set(ctx context.Context, by By, id uuid.UUID, what, state string) (op dbsqlc.BulkOperation, err error) {
	action := &audit.Action{Who: by.Who, Via: by.Via, What: what, Target: id.String(), Reason: by.Reason}
	err = audit.Do(ctx, o.DB, action, by.Dry, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		op, err = q.BulkGetForUpdate(ctx, tx, id)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case op.State == state:
			return nil
		case op.EndedAt != nil:
			return fmt.Errorf("%w: it is %s", ErrEnded, op.State)
		}
		if op, err = q.BulkSetState(ctx, tx, dbsqlc.BulkSetStateParams{ID: id, State: state}); err != nil || state != StateRunning {
			return err
		}
		return o.insert(ctx, tx, id)
	})
	if err != nil {
		return op, fmt.Errorf("%s %s: %w", what, id, err)
	}
	return op, nil
}

// insert inserts the job that goes on with an operation, and names it in its row.
func (o *Operations) insert(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	job, err := o.River.InsertTx(ctx, tx, Args{ID: id}, nil)
	if err != nil {
		return err
	}
	return dbsqlc.New().BulkSetJob(ctx, tx, dbsqlc.BulkSetJobParams{ID: id, JobID: &job.Job.ID})
}

// WhysOf are the reasons for which items were skipped or failed, the most frequent first.
func WhysOf(op *dbsqlc.BulkOperation) (skipped, failed []Why, err error) {
	var whys whys
	if err := json.Unmarshal(op.Whys, &whys); err != nil {
		return nil, nil, fmt.Errorf("read bulk operation %s: %w", op.ID, err)
	}
	return sorted(whys.Skipped), sorted(whys.Failed), nil
}

// ExamplesOf are the first of them.
func ExamplesOf(op *dbsqlc.BulkOperation) (list []Example, err error) {
	if err := json.Unmarshal(op.Examples, &list); err != nil {
		return nil, fmt.Errorf("read bulk operation %s: %w", op.ID, err)
	}
	return list, nil
}
