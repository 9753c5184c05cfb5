package jobs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
)

func TestDecide(t *testing.T) {
	t.Parallel()
	code := func(code string) dbsqlc.Rendition {
		f := Failed(code, StageStore, "")
		stage := string(f.Stage)
		return dbsqlc.Rendition{State: RenditionFailed, ErrorCode: &f.Code, ErrorStage: &stage, ErrorMessage: &f.Text}
	}
	ok := dbsqlc.Rendition{State: RenditionOK}
	for _, test := range []struct {
		name       string
		left       int32
		freeTries  int32
		age        time.Duration
		renditions []dbsqlc.Rendition
		state      string
		code       string
		wait       time.Duration
	}{
		{"all ok", 0, 0, 0, []dbsqlc.Rendition{ok, ok}, StateSucceeded, "", 0},
		{"one open", 2, 0, 0, []dbsqlc.Rendition{ok, {State: RenditionPushed}}, "", "", 0},
		{"a failure does not end what is open", 2, 0, 0, []dbsqlc.Rendition{code(CodeNothingReturned), {State: RenditionPushing}}, "", "", 0},
		{"again", 2, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateQueued, CodeNothingReturned, 2 * time.Second},
		{"and again", 1, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateQueued, CodeNothingReturned, 10 * time.Second},
		{"no attempt left", 0, 0, 0, []dbsqlc.Rendition{ok, code(CodeNothingReturned)}, StateFailed, CodeNothingReturned, 0},
		{"a final one decides", 2, 0, 0, []dbsqlc.Rendition{code(CodeNothingReturned), code("s3_bucket_missing")}, StateFailed, "s3_bucket_missing", 0},
		{"what the source decides is final", 2, 0, 0, []dbsqlc.Rendition{code("prepare_failed")}, StateFailed, "prepare_failed", 0},

		{"a fault of the host eats no attempt", 0, 0, 0, []dbsqlc.Rendition{ok, code(CodePushFailed)}, StateQueued, CodePushFailed, 2 * time.Second},
		{"its waits grow", 0, 3, time.Hour, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateQueued, CodeMistUnavailable, 16 * time.Second},
		{"up to a bound", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateQueued, CodeMistUnavailable, freeMax},
		{"until a day is over", 2, 100, freeFor, []dbsqlc.Rendition{code(CodeMistUnavailable)}, StateFailed, CodeMistUnavailable, 0},
		{"a full gateway is waited for", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeGatewayFull)}, StateQueued, CodeGatewayFull, gatewayMax},
		{"a lost host's starts elsewhere, soon", 0, 100, time.Hour, []dbsqlc.Rendition{code(CodeHostLost)}, StateQueued, CodeHostLost, lostMax},
		{"what eats comes before what does not", 0, 0, 0, []dbsqlc.Rendition{code(CodePushFailed), code(CodeNothingReturned)}, StateFailed, CodeNothingReturned, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := decide(&dbsqlc.Transcode{AttemptsLeft: test.left, FreeTries: test.freeTries}, test.renditions, test.age)
			require.Equal(t, test.state, got.state)
			require.Equal(t, test.wait, got.wait)
			if test.code != "" {
				require.Equal(t, test.code, got.failure.Code)
				require.Equal(t, got.state == StateQueued && !got.failure.Eats(), got.free)
			}
		})
	}
}
