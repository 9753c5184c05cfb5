package browser

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
)

// A Report is what a browser saw.
type Report struct {
	Duration float64 `json:"duration"` // seconds
	// Steps are what was reached, in order: "start", "middle", "rung 0" and on, "whole", "near the end", "end".
	Steps []string `json:"steps"`
	// Stuck is the step that was not reached.
	Stuck string `json:"stuck"`
	// Errors are all that the player complained of, but Stalls: those are a slow machine's too.
	Errors []string `json:"errors"`
	Stalls int      `json:"stalls"`
	// Rungs are those that the player knows, lowest first, and what was seen of each.
	Rungs []Rung `json:"rungs"`
	First int    `json:"first"` // the rung that it began with
	// Buffered are the parts that could be played at the end of the whole, in seconds.
	Buffered [][2]float64 `json:"buffered"`
	Frames   int          `json:"frames"` // that were decoded, in all
}

// A Rung is one that a player knows.
type Rung struct {
	Width  int    `json:"width"` // as its manifest says
	Height int    `json:"height"`
	Shown  [2]int `json:"shown"` // as it was seen
}

// Play plays an HLS master by hls.js.
func Play(ctx context.Context, t testing.TB, masterURL string) Report {
	t.Helper()
	return visit(ctx, t, "hls", masterURL)
}

// PlayDASH plays a DASH manifest by Shaka.
func PlayDASH(ctx context.Context, t testing.TB, mpdURL string) Report {
	t.Helper()
	return visit(ctx, t, "dash", mpdURL)
}

// PlayMP4 plays a file by the browser alone.
func PlayMP4(ctx context.Context, t testing.TB, fileURL string) Report {
	t.Helper()
	return visit(ctx, t, "file", fileURL)
}

// gapSeconds is what a player steps over by itself, between picture and sound at the ends too.
const gapSeconds = 0.15

// Require fails the test unless all was played, of so many seconds, without an error.
func (r Report) Require(t testing.TB, seconds float64) {
	t.Helper()
	require.Empty(t, r.Stuck, "%+v", r)
	require.Empty(t, r.Errors, "%+v", r)
	require.InDelta(t, seconds, r.Duration, gapSeconds, "%+v", r)
	require.NotZero(t, r.Frames, "%+v", r)
	require.Len(t, r.Buffered, 1, "%+v", r)
	require.Less(t, r.Buffered[0][0], gapSeconds, "%+v", r)
	require.InDelta(t, r.Duration, r.Buffered[0][1], gapSeconds, "%+v", r)
	for _, rung := range r.Rungs {
		require.Equal(t, [2]int{rung.Width, rung.Height}, rung.Shown, "%+v", r)
	}
}
