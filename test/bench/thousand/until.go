package thousand

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// waitMost bounds each wait, lookEvery is between two looks.
const (
	waitMost  = 4 * time.Minute
	lookEvery = 50 * time.Millisecond
)

// until looks until a query is true, and says how long that took. Postgres may be away.
func (f *fleet) until(ctx context.Context, query string, args ...any) (time.Duration, error) {
	began := time.Now()
	for {
		var is bool
		err := f.pool.QueryRow(ctx, query, args...).Scan(&is)
		if is {
			return time.Since(began), nil
		}
		if time.Since(began) > waitMost {
			return 0, errors.Join(fmt.Errorf("not within %s: %s; there are %s", waitMost, query, f.states(ctx)), err)
		}
		if err := pauseFor(ctx, lookEvery); err != nil {
			return 0, err
		}
	}
}

// states are those of all transcodes, and what failed of their attempts, as far as they can be read.
func (f *fleet) states(ctx context.Context) (all string) {
	if err := f.pool.QueryRow(ctx, `SELECT coalesce(string_agg(n || ' ' || state, ', '), 'none') FROM (
		SELECT state::text, count(*) AS n FROM weir.transcodes GROUP BY 1
		UNION ALL SELECT 'that wait until ' || max(not_before)::time(0), count(*) FROM weir.transcodes WHERE state = 'queued' AND not_before > now()
		UNION ALL SELECT format('attempts %s with %s', outcome, error_code), count(*) FROM weir.attempts WHERE error_code IS NOT NULL GROUP BY outcome, error_code) of`).Scan(&all); err != nil {
		return err.Error()
	}
	return all
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// allEnded: nothing is in hand, or to be cleaned up.
const allEnded = `SELECT count(*) = 0 FROM (SELECT FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')
	UNION ALL SELECT FROM weir.callbacks WHERE state = 'pending' UNION ALL SELECT FROM weir.attempts WHERE cleaned_at IS NULL) open`

// allTold is allEnded where hosts are dead, which clean up nothing.
const allTold = `SELECT count(*) = 0 FROM (SELECT FROM weir.transcodes WHERE state IN ('queued', 'placed', 'running', 'storing')
	UNION ALL SELECT FROM weir.callbacks WHERE state = 'pending') open`
