package triggers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// record writes the event and its effect in one transaction. It is false, and
// nothing is written, for an event that is there already. e's verdict is then what
// the rows say.
func (l *Listener) record(ctx context.Context, e *event) (bool, error) {
	if !e.matched() {
		return inserted(dbsqlc.New().MistEventInsert(ctx, l.cfg.DB, e.row))
	}
	recorded := false
	err := db.InTx(ctx, l.cfg.DB, func(tx pgx.Tx) error {
		id, err := dbsqlc.New().MistEventInsert(ctx, tx, e.row)
		if recorded, err = inserted(id, err); err != nil || !recorded {
			return err
		}
		_, err = e.take(ctx, tx, id)
		return err
	})
	return recorded && err == nil, err
}

// take writes an event's effect, or why it has none; changed: it had one. Any number of
// times it comes to the same.
func (e *event) take(ctx context.Context, tx pgx.Tx, id int64) (changed bool, err error) {
	rows := int64(0)
	if e.apply != nil {
		if rows, err = e.apply(ctx, tx, e.subject); err != nil {
			return false, fmt.Errorf("apply: %w", err)
		}
	}
	if rows > 0 {
		return true, nil
	}
	return false, explain(ctx, tx, id, e)
}

func inserted(_ int64, err error) (bool, error) {
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// explain finds why an event changed no row, and writes it down.
func explain(ctx context.Context, tx pgx.Tx, id int64, e *event) error {
	q := dbsqlc.New()
	renditions, err := q.RenditionList(ctx, tx, e.name.Transcode)
	if err != nil {
		return fmt.Errorf("read renditions: %w", err)
	}
	verdict, reason := judge(renditions, e)
	if verdict == e.row.Verdict {
		return nil
	}
	e.decide(verdict, reason)
	return q.MistEventSetVerdict(ctx, tx, dbsqlc.MistEventSetVerdictParams{ID: id, Verdict: e.row.Verdict, Note: e.row.Note})
}

func judge(renditions []dbsqlc.Rendition, e *event) (verdict, reason string) {
	if len(renditions) == 0 {
		return verdictUnmatched, "no such transcode"
	}
	newest, named := int32(0), (*dbsqlc.Rendition)(nil)
	for i, r := range renditions {
		newest = max(newest, r.Attempt) // those that were ok before keep an older one
		if r.Name == e.subject.rendition {
			named = &renditions[i]
		}
	}
	switch {
	case *e.row.Attempt != newest:
		return verdictStale, fmt.Sprintf("of attempt %d, the newest is %d", *e.row.Attempt, newest)
	case e.subject.rendition == "":
		return verdictNoted, "nothing new"
	case named == nil:
		return verdictUnmatched, "no such rendition"
	case e.apply == nil && slices.Contains([]string{"expected", "pushing"}, named.State):
		return verdictNoted, ""
	}
	return verdictStale, fmt.Sprintf("rendition %s is %s already", named.Name, named.State)
}
