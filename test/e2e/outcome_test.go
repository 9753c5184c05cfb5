package e2e

import (
	"context"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// maxAttempts is how often a failure that a retry may mend is tried.
const maxAttempts = 3

// failure is what a transcode has to fail with.
type failure struct {
	code, stage, blame string
	retriable          bool
}

// succeeds waits for the success, and compares the callback, the API and the
// objects with the source.
func (b *testBundle) succeeds(t *testing.T, id string, source devstack.Facts) *devstack.Transcode {
	t.Helper()
	transcode := b.ends(t, id)
	require.Equal(t, "succeeded", transcode.State, "%+v", transcode.Error)
	require.InDelta(t, 1, transcode.Ratio, 0)
	callback := b.callback(t, transcode)
	require.Equal(t, "success", callback.Status)
	require.Len(t, callback.Outputs, 1)
	require.Len(t, callback.Outputs[0].Videos, len(transcode.Renditions))
	require.InDelta(t, source.Duration.Seconds(), callback.VideoSpec.Duration, durationSlack.Seconds()+frame(source).Seconds())
	for i, rendition := range transcode.Renditions {
		video := callback.Outputs[0].Videos[i]
		require.Equal(t, rendition.Location, video.Location)
		require.Equal(t, rendition.Bytes, video.Size)
		b.whole(t, rendition, source)
	}
	b.nothingLeft(t, id)
	return transcode
}

// durationSlack is what containers may say differently about the same frames: the
// end of the sound, which is not a whole number of frames.
const durationSlack = 100 * time.Millisecond

func frame(f devstack.Facts) time.Duration { return f.Duration / time.Duration(f.Frames) }

// whole looks at a rendition's object with another eye than Weir's: it has to be
// the whole source in the planned size.
func (b *testBundle) whole(t *testing.T, rendition devstack.Rendition, source devstack.Facts) {
	t.Helper()
	require.Equal(t, "ok", rendition.State)
	local := filepath.Join(t.TempDir(), rendition.Name+".ts")
	require.NoError(t, b.S3.Download(b.ctx, b.Bucket, b.key(t, rendition.Location), local))
	info, err := os.Stat(local)
	require.NoError(t, err)
	require.Equal(t, rendition.Bytes, info.Size())
	facts, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	require.Equal(t, source.Frames, facts.Frames, "frames of %s", rendition.Name)
	require.Equal(t, source.Frames, rendition.Frames)
	require.Equal(t, source.Audio, facts.Audio, "sound of %s", rendition.Name)
	require.Equal(t, [2]int{rendition.Width, rendition.Height}, [2]int{facts.Width, facts.Height}, "size of %s", rendition.Name)
	require.InDelta(t, source.Duration.Seconds(), facts.Duration.Seconds(), durationSlack.Seconds()+frame(source).Seconds(), "duration of %s", rendition.Name)
}

// key is the object's key in a location.
func (b *testBundle) key(t *testing.T, location string) string {
	t.Helper()
	u, err := url.Parse(location)
	require.NoError(t, err)
	require.Nil(t, u.User, "a location tells no credentials")
	if u.Scheme == "s3" {
		require.Equal(t, b.Bucket, u.Host)
		return strings.TrimPrefix(u.Path, "/")
	}
	return strings.TrimPrefix(u.Path, "/"+b.Bucket+"/")
}

// fails waits for the failure, and compares it with what is wanted everywhere that
// it is told.
func (b *testBundle) fails(t *testing.T, id string, want failure) *devstack.Transcode {
	t.Helper()
	transcode := b.ends(t, id)
	require.Equal(t, "failed", transcode.State)
	require.NotNil(t, transcode.Error)
	got := failure{transcode.Error.Code, transcode.Error.Stage, transcode.Error.Blame, transcode.Error.Retriable}
	require.Equal(t, want, got, "%s", transcode.Error.Message)
	if want.retriable {
		require.Equal(t, maxAttempts, transcode.Attempt)
	} else {
		require.Equal(t, 1, transcode.Attempt)
	}
	b.toldAsError(t, transcode)
	b.nothingLeft(t, id)
	return transcode
}

// cancels cancels the transcode, at once and for good.
func (b *testBundle) cancels(t *testing.T, id string) {
	t.Helper()
	transcode, err := b.API.Cancel(b.ctx, id)
	require.NoError(t, err)
	require.Equal(t, "cancelled", transcode.State)
	again, err := b.API.Cancel(b.ctx, id)
	require.NoError(t, err, "cancelling twice is cancelling")
	require.Equal(t, transcode.FinishedAt, again.FinishedAt)
	transcode = b.ends(t, id)
	require.Equal(t, "cancelled", transcode.State)
	require.Equal(t, "cancelled", transcode.Error.Code)
	b.toldAsError(t, transcode)
	b.nothingLeft(t, id)
}

// toldAsError compares the callback with the API's error.
func (b *testBundle) toldAsError(t *testing.T, transcode *devstack.Transcode) {
	t.Helper()
	callback := b.callback(t, transcode)
	require.Equal(t, "error", callback.Status)
	require.Equal(t, !transcode.Error.Retriable, callback.Unretriable)
	require.NotEmpty(t, callback.Error)
	var told struct {
		Code string `json:"error_code"`
	}
	require.NoError(t, json.Unmarshal(callback.Body, &told))
	require.Equal(t, transcode.Error.Code, told.Code)
}

// ends waits until the transcode has ended and its callback is delivered.
func (b *testBundle) ends(t *testing.T, id string) *devstack.Transcode {
	t.Helper()
	return b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
		return transcode.Terminal() && transcode.Callback != nil && transcode.Callback.State == "delivered"
	})
}

// callback is the one terminal callback of a transcode's run.
func (b *testBundle) callback(t *testing.T, transcode *devstack.Transcode) devstack.Callback {
	t.Helper()
	require.NoError(t, b.receiver.Problems())
	var terminal []devstack.Callback
	for _, callback := range b.receiver.Callbacks(transcode.ID) {
		if callback.Terminal() && callback.EventID == transcode.Callback.ID {
			terminal = append(terminal, callback)
		}
	}
	require.NotEmpty(t, terminal)
	for _, callback := range terminal {
		require.Equal(t, b.prefix, callback.Task)
		require.Equal(t, terminal[0].Body, callback.Body, "what is delivered again is the same")
	}
	require.True(t, terminal[len(terminal)-1].Accepted())
	return terminal[len(terminal)-1]
}

// nothingLeft waits until nothing is left of the transcode but its objects.
func (b *testBundle) nothingLeft(t *testing.T, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, cleanGrace)
	defer cancel()
	var left []string
	defer func() {
		if t.Failed() {
			t.Logf("left of %s: %q", id, left)
		}
	}()
	await(t, ctx, "nothing being left behind", func() bool {
		left = b.leftOf(t, id)
		return len(left) == 0
	})
}

// leftOf lists what is left of one transcode, while others run.
func (b *testBundle) leftOf(t *testing.T, id string) (left []string) {
	t.Helper()
	all, err := b.LeftBehind(b.ctx)
	require.NoError(t, err)
	for _, line := range all {
		if strings.Contains(line, id) || strings.Contains(line, nameOf(id)) {
			left = append(left, line)
		}
	}
	return append(left, b.lines(t, `SELECT 'River job ' || kind || ' ' || state FROM weir.river_job WHERE finalized_at IS NULL AND NOT (kind = 'residue' AND state = 'scheduled') AND
		(args->>'transcode_id' = $1 OR args->>'callback_id' IN (SELECT id::text FROM weir.callbacks WHERE transcode_id::text = $1))`, id)...)
}

// nameOf is the transcode in the names of streams and folders.
func nameOf(id string) string { return strings.ReplaceAll(id, "-", "") }
