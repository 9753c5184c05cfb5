package jobs

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"weir/media"
	"weir/mist"
	"weir/storage"
)

func sqlState(t *testing.T, err error) string {
	t.Helper()
	var pgErr *pgconn.PgError
	require.ErrorAs(t, err, &pgErr)
	return pgErr.Code
}

func TestFailureTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, kind := range Kinds() {
		require.False(t, seen[kind.Code], "%s stands twice", kind.Code)
		seen[kind.Code] = true
		require.NotEmpty(t, kind.Words, kind.Code)
		require.NotEmpty(t, kind.Blame, kind.Code)
	}
	for _, code := range media.Codes() {
		require.True(t, seen[string(code)], "media's %s is not in the table", code)
		require.Equal(t, code.InputFault(), KindOf(string(code)).Blame == BlameInput && !KindOf(string(code)).Retriable, code)
	}
	for _, code := range media.Problems() {
		require.True(t, seen[code], "media's %s is not in the table", code)
	}
	for _, code := range storage.Codes() {
		require.True(t, seen[string(code)], "storage's %s is not in the table", code)
	}
	require.Equal(t, CodeInternal, KindOf("no such code").Code)
}

func TestFailureOf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		err  error
		code string
	}{
		{failed(CodePushFailed, StagePush, ""), CodePushFailed},
		{&media.Error{Code: media.CodeSourceNoVideo}, string(media.CodeSourceNoVideo)},
		{&storage.Error{Code: storage.CodeBucketMissing, Err: errors.New("x")}, string(storage.CodeBucketMissing)},
		{&mist.Error{Kind: mist.ErrUnavailable}, CodeMistUnavailable},
		{errors.New("anything"), CodeInternal},
	} {
		require.Equal(t, test.code, failureOf(fmt.Errorf("wrapped: %w", test.err), StageFetch).Code)
	}
}
