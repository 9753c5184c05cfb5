package jobs_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// outputRequest asks for a rendition and outputs of these types.
func outputRequest(rendition string, types ...string) *jobs.Request {
	req := jobstest.MakeRequest("", rendition)
	for _, kind := range types {
		req.Outputs = append(req.Outputs, jobs.Output{Type: kind, URL: req.OutputURL, Shown: req.OutputShown})
	}
	return req
}

// What is asked for lies in rows from the first transaction on, and its places are sealed.
func TestAcceptOutputs(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	req := outputRequest("a", jobs.OutputTypes()...)
	req.Outputs[1].Segment, req.Outputs[2].OnlyShort = 4*time.Second, true
	req.Outputs[4].URL, req.Outputs[4].Shown = "s3+http://K:OTHER@127.0.0.1:9/b/copy", "s3+http://127.0.0.1:9/b/copy"
	transcode := b.AcceptRequest(t, req)
	require.True(t, transcode.Packages)
	detail, err := b.Transcodes.Get(t.Context(), "studio", transcode.ID)
	require.NoError(t, err)
	require.Len(t, detail.Outputs, len(req.Outputs))
	for i, o := range detail.Outputs {
		require.Equal(t, req.Outputs[i].Type, o.Type)
		require.Equal(t, req.Outputs[i].Shown, o.URL)
		require.Equal(t, jobs.OutputExpected, o.State)
		require.NotContains(t, string(o.Sealed), "OTHER")
		opened, err := jobs.SealedOutputOf(o.Ordinal).Open(b.Sealer, transcode.ID, o.Sealed)
		require.NoError(t, err)
		require.Equal(t, req.Outputs[i].URL, opened)
	}
	require.EqualValues(t, 4000, detail.Outputs[1].SegmentMs)
	require.True(t, detail.Outputs[2].OnlyShort)
	_, err = jobs.SealedOutputOf(0).Open(b.Sealer, transcode.ID, detail.Outputs[4].Sealed)
	require.Error(t, err, "a place opens for its own output alone")

	plain := b.Accept(t, "a")
	require.False(t, plain.Packages)
	outputs, err := dbsqlc.New().OutputList(t.Context(), b.Pool, plain.ID)
	require.NoError(t, err)
	require.Empty(t, outputs, "nothing asked for is today's")
}
