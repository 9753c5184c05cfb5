package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/audit"
	"weir/jobs/jobstest"
)

func actions(t *testing.T, b *jobstest.Bundle) []dbsqlc.AdminAction {
	t.Helper()
	list, err := dbsqlc.New().AdminActionList(t.Context(), b.Pool, dbsqlc.AdminActionListParams{PageSize: 10})
	require.NoError(t, err)
	return list
}

// What is changed is written down with who and why, together or not at all; a dry run
// finds what a true one would, and leaves nothing.
func TestDo(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := b.Accept(t, "a").ID
	cancel := func(ctx context.Context, dry bool) (state string, err error) {
		action := audit.Action{Who: "jo", Via: audit.CLI, What: "transcodes cancel", Target: id.String(), Reason: "not wanted", Detail: map[string]int{"n": 1}}
		err = audit.Do(ctx, b.Pool, &action, dry, func(tx pgx.Tx) error {
			detail, err := (&jobs.Transcodes{DB: tx, River: b.River}).Cancel(ctx, "", id)
			state = detail.Transcode.State
			return err
		})
		return state, err
	}
	state, err := cancel(t.Context(), true)
	require.NoError(t, err)
	require.Equal(t, jobs.StateCancelled, state)
	require.Empty(t, actions(t, b))
	require.Equal(t, jobs.StateQueued, b.Get(t, id).State)

	state, err = cancel(t.Context(), false)
	require.NoError(t, err)
	require.Equal(t, jobs.StateCancelled, state)
	require.Equal(t, jobs.StateCancelled, b.Get(t, id).State)
	written := actions(t, b)
	require.Len(t, written, 1)
	require.Equal(t, []string{"jo", "cli", "transcodes cancel", id.String(), "not wanted", `{"n": 1}`},
		[]string{written[0].Who, written[0].Via, written[0].What, written[0].Target, written[0].Reason, string(written[0].Detail)})
}

// Neither is without the other.
func TestDoTogether(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	id := b.Accept(t, "a").ID
	failed := errors.New("no")
	err := audit.Do(t.Context(), b.Pool, &audit.Action{Who: "jo", Via: audit.CLI, What: "x"}, false, func(pgx.Tx) error { return failed })
	require.ErrorIs(t, err, failed)
	require.Empty(t, actions(t, b))
	// Where nothing is changed there is nothing to write down.
	err = audit.Do(t.Context(), b.Pool, &audit.Action{Who: "jo", Via: audit.CLI, What: "x"}, false, func(pgx.Tx) error {
		return fmt.Errorf("again: %w", audit.ErrUnchanged)
	})
	require.NoError(t, err)
	require.Empty(t, actions(t, b))
	// Nobody did it, so it is not done.
	err = audit.Do(t.Context(), b.Pool, &audit.Action{Via: audit.CLI, What: "x"}, false, func(tx pgx.Tx) error {
		_, err := (&jobs.Transcodes{DB: tx, River: b.River}).Cancel(t.Context(), "", id)
		return err
	})
	require.Error(t, err)
	require.Equal(t, jobs.StateQueued, b.Get(t, id).State)
}
