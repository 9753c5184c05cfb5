package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Pipeline has statements of a transaction go to Postgres with the next one that is asked
// something: one round trip for all of them, each seeing what those before it have done. An
// Exec answers before it was executed, so its error comes with the answer of the query behind
// it, and there has to be one. It is for one goroutine.
type Pipeline struct {
	On interface {
		SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
	}
	waiting pgx.Batch
}

// behind is a pipeline of one question behind a setting, which lasts for its transaction: outside
// of one the two are one.
func behind(on Queryer, setting string) *Pipeline {
	p := &Pipeline{On: on}
	p.waiting.Queue(setting)
	return p
}

// Exec implements dbsqlc.DBTX.
func (p *Pipeline) Exec(_ context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	p.waiting.Queue(sql, args...)
	return pgconn.CommandTag{}, nil
}

// Query implements dbsqlc.DBTX.
func (p *Pipeline) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	answers, err := p.send(ctx, sql, args)
	if err != nil {
		return nil, err
	}
	rows, err := answers.Query()
	if err != nil {
		_ = answers.Close()
		return nil, err
	}
	return &lastRows{rows, answers}, nil
}

// QueryRow implements dbsqlc.DBTX.
func (p *Pipeline) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	answers, err := p.send(ctx, sql, args)
	return &lastRow{answers, err}
}

// send sends all with a query, and reads what comes before its answer.
func (p *Pipeline) send(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	before := p.waiting.Len()
	p.waiting.Queue(sql, args...)
	batch := p.waiting
	p.waiting = pgx.Batch{}
	answers := p.On.SendBatch(ctx, &batch)
	for i := range before {
		if _, err := answers.Exec(); err != nil {
			_ = answers.Close()
			return nil, fmt.Errorf("statement %d of %d: %w", i+1, before+1, err)
		}
	}
	return answers, nil
}

// lastRows ends the pipeline's answers with its own.
type lastRows struct {
	pgx.Rows
	answers pgx.BatchResults
}

func (r *lastRows) Close() {
	r.Rows.Close()
	_ = r.answers.Close() // its error is that of the rows
}

type lastRow struct {
	answers pgx.BatchResults
	err     error
}

func (r *lastRow) Scan(into ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.answers.QueryRow().Scan(into...)
	if closed := r.answers.Close(); err == nil {
		err = closed
	}
	return err
}
