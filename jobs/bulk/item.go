package bulk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// whysMost different reasons are kept, and the rest as others; examplesMost items.
	whysMost, examplesMost = 20, 100
	others                 = "other reasons"
)

// whys is the row's: how many items were skipped and failed for which reason.
type whys struct {
	Skipped map[string]int64 `json:"skipped,omitempty"`
	Failed  map[string]int64 `json:"failed,omitempty"`
}

// skip is why an item is left as it is.
type skip string

func (s skip) Error() string { return string(s) }

// do deals with one item, in a transaction of its own within tx. A skip and a failure of
// the item's own are told in wrong; err is what is the matter with all of them.
func do(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], op *dbsqlc.BulkOperation, id uuid.UUID) (wrong, err error) {
	wrong = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return act(ctx, tx, client, op, id) })
	var refused *pgconn.PgError
	switch {
	case wrong == nil, errors.As(wrong, new(skip)):
		return wrong, nil
	case ctx.Err() != nil:
		return nil, wrong
	case errors.As(wrong, &refused) && slices.Contains(ofTheItem(), refused.Code[:2]):
		return wrong, nil
	case errors.Is(wrong, jobs.ErrNotFound), errors.Is(wrong, jobs.ErrFinished), errors.Is(wrong, jobs.ErrNotFailed),
		errors.Is(wrong, jobs.ErrReplaced), errors.Is(wrong, jobs.ErrNotEnded), errors.Is(wrong, jobs.ErrSuperseded):
		return skip(wrong.Error()), nil
	}
	return nil, wrong
}

// ofTheItem are Postgres' classes of errors that are the matter of one row, as of a
// constraint or a lock that another holds; all others would meet the next item too.
func ofTheItem() []string { return []string{"21", "22", "23", "55", "P0"} }

func act(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], op *dbsqlc.BulkOperation, id uuid.UUID) error {
	t, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, id)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return skip("it was removed")
	case err != nil:
		return err
	case t.RunAt.After(op.FrozenAt):
		return skip("it was retried since")
	case !slices.Contains(Kind(op.Kind).states(), t.State):
		return skip("it is " + t.State)
	case Kind(op.Kind) != Cancel && t.FinishedAt.After(op.FrozenAt):
		return skip("it ended since")
	}
	transcodes := &jobs.Transcodes{DB: tx, River: client}
	switch Kind(op.Kind) {
	case Retry:
		return transcodes.RetryTx(ctx, tx, "", id, t.Run)
	case Cancel:
		return transcodes.CancelTx(ctx, tx, "", id)
	case Redeliver:
		return (&jobs.Callbacks{DB: tx, River: client}).RedeliverTx(ctx, tx, "", id)
	}
	return fmt.Errorf("a bulk operation of kind %q", op.Kind)
}

// advance writes what became of the item at the cursor.
func advance(ctx context.Context, tx pgx.Tx, op *dbsqlc.BulkOperation, at *dbsqlc.Transcode, wrong error) (dbsqlc.BulkOperation, error) {
	next := dbsqlc.BulkAdvanceParams{
		ID: op.ID, BeforeAt: at.CreatedAt, BeforeID: at.ID, Done: op.Done, Skipped: op.Skipped, Failed: op.Failed, Whys: op.Whys, Examples: op.Examples,
	}
	failed := false
	switch {
	case wrong == nil:
		next.Done++
		return dbsqlc.New().BulkAdvance(ctx, tx, next)
	case errors.As(wrong, new(skip)):
		next.Skipped++
	default:
		next.Failed++
		failed = true
	}
	var why whys
	var examples []Example
	if err := errors.Join(json.Unmarshal(op.Whys, &why), json.Unmarshal(op.Examples, &examples)); err != nil {
		return *op, err
	}
	text := strings.ReplaceAll(wrong.Error(), "\n", "; ")
	if failed {
		why.Failed = counted(why.Failed, text)
	} else {
		why.Skipped = counted(why.Skipped, text)
	}
	if len(examples) < examplesMost {
		examples = append(examples, Example{ID: at.ID, Failed: failed, Why: text})
	}
	var err error
	if next.Whys, err = json.Marshal(why); err != nil {
		return *op, err
	}
	if next.Examples, err = json.Marshal(examples); err != nil {
		return *op, err
	}
	return dbsqlc.New().BulkAdvance(ctx, tx, next)
}

func counted(in map[string]int64, text string) map[string]int64 {
	if in == nil {
		in = map[string]int64{}
	}
	if _, there := in[text]; !there && len(in) >= whysMost {
		text = others
	}
	in[text]++
	return in
}

func sorted(in map[string]int64) (list []Why) {
	for text, items := range in {
		list = append(list, Why{text, items})
	}
	slices.SortFunc(list, func(a, b Why) int { return cmp.Or(cmp.Compare(b.Items, a.Items), cmp.Compare(a.Why, b.Why)) })
	return list
}
