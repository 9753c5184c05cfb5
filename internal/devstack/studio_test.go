package devstack_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// body returns a callback that is in order, with the changes.
func body(t *testing.T, changes map[string]any) []byte {
	t.Helper()
	all := map[string]any{
		"completion_ratio": 0.5, "status": "transcoding", "timestamp": time.Now().Unix(),
		"request_id": "t1", "event_id": "e1", "external_id": "task-1",
	}
	maps.Copy(all, changes)
	b, err := json.Marshal(all)
	require.NoError(t, err)
	return b
}

// success turns a callback into a terminal one that is in order.
func success(event string, changes map[string]any) map[string]any {
	all := map[string]any{
		"completion_ratio": 1, "status": "success", "event_id": event, "type": "video",
		"video_spec": map[string]any{"format": "mp4", "tracks": []any{map[string]any{"type": "video"}}, "duration": 20, "size": 1000},
		"outputs": []any{map[string]any{"type": "object_store", "videos": []any{
			map[string]any{"type": "ts", "size": 10, "location": "s3://films/a.ts"},
		}}},
	}
	maps.Copy(all, changes)
	return all
}

func startStudio(t *testing.T) (*devstack.Studio, func(body []byte) (int, error)) {
	t.Helper()
	studio, err := devstack.StartStudio(t.Context(), &devstack.StudioConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, studio.Close()) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	return studio, func(body []byte) (int, error) {
		resp, err := client.Post(studio.URL+"task-1", "application/json", bytes.NewReader(body))
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Body.Close()
	}
}

func TestStudioChecksTheContract(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		callbacks []map[string]any
		problem   string // empty: none
	}{
		"a life": {callbacks: []map[string]any{
			{"status": "preparing", "completion_ratio": 0},
			{"status": "preparing", "completion_ratio": 0.2},
			{"completion_ratio": 0.2},
			success("e9", nil),
		}},
		"delivered twice":        {callbacks: []map[string]any{success("e9", nil), success("e9", nil)}},
		"an error after a ratio": {callbacks: []map[string]any{{}, {"status": "error", "completion_ratio": 0, "error": "no video"}}},
		"another transcode":      {callbacks: []map[string]any{success("e9", nil), {"request_id": "t2"}}},
		"ratio falls":            {callbacks: []map[string]any{{}, {"completion_ratio": 0.4}}, problem: "fell from 0.5 to 0.4"},
		"two ends": {
			callbacks: []map[string]any{success("e9", nil), success("e8", nil)},
			problem:   "a second terminal callback: event e8 after event e9",
		},
		"late status":       {callbacks: []map[string]any{success("e9", nil), {"completion_ratio": 1}}, problem: "after the terminal callback e9"},
		"unknown status":    {callbacks: []map[string]any{{"status": "done"}}, problem: `unknown status "done"`},
		"no event":          {callbacks: []map[string]any{success("", nil)}, problem: "event_id is missing"},
		"no event, not due": {callbacks: []map[string]any{{"event_id": ""}}},
		"ratio over one":    {callbacks: []map[string]any{{"completion_ratio": 1.01}}, problem: "want 0 to 1"},
		"milliseconds":      {callbacks: []map[string]any{{"timestamp": time.Now().UnixMilli()}}, problem: "Unix seconds"},
		"wrong type":        {callbacks: []map[string]any{{"completion_ratio": "half"}}, problem: "not the JSON of a callback"},
		"error, no text":    {callbacks: []map[string]any{{"status": "error"}}, problem: "without its text"},
		"no outputs":        {callbacks: []map[string]any{success("e9", map[string]any{"outputs": []any{}})}, problem: "no outputs"},
		"no tracks":         {callbacks: []map[string]any{success("e9", map[string]any{"video_spec": map[string]any{"duration": 1, "size": 1}})}, problem: "lacks a duration"},
		"success, not all":  {callbacks: []map[string]any{success("e9", map[string]any{"completion_ratio": 0.9})}, problem: "want 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			studio, post := startStudio(t)
			for _, changes := range tc.callbacks {
				status, err := post(body(t, changes))
				require.NoError(t, err)
				require.Equal(t, http.StatusNoContent, status)
			}
			if tc.problem == "" {
				require.NoError(t, studio.Problems())
			} else {
				require.ErrorContains(t, studio.Problems(), tc.problem)
			}
		})
	}
}

// A body says nothing of when it came, and of what it was answered.
func TestStudioNotesWhatItSaw(t *testing.T) {
	t.Parallel()
	studio, post := startStudio(t)
	sent := time.Now()
	_, err := post(body(t, success("e9", map[string]any{"At": time.Time{}, "Answer": http.StatusTeapot, "Task": "another"})))
	require.NoError(t, err)
	told, err := studio.WaitAccepted(t.Context(), "t1")
	require.NoError(t, err)
	require.WithinRange(t, told.At, sent, time.Now())
	require.Equal(t, http.StatusNoContent, told.Answer)
	require.Equal(t, "task-1", told.Task)
}

func TestStudioModes(t *testing.T) {
	t.Parallel()
	studio, post := startStudio(t)

	studio.SetMode(devstack.Mode{Status: http.StatusServiceUnavailable, Times: 2})
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusServiceUnavailable, http.StatusNoContent} {
		status, err := post(body(t, nil))
		require.NoError(t, err)
		require.Equal(t, want, status)
	}

	studio.SetMode(devstack.Mode{Reset: true, Times: 1})
	_, err := post(body(t, success("e9", nil)))
	require.Error(t, err, "the connection is reset")
	first, err := studio.WaitTerminal(t.Context(), "t1")
	require.NoError(t, err)
	require.False(t, first.Accepted())

	accepted := make(chan error, 1)
	go func() {
		_, err := studio.WaitAccepted(t.Context(), "t1")
		accepted <- err
	}()
	_, err = post(body(t, success("e9", nil)))
	require.NoError(t, err)
	require.NoError(t, <-accepted)
	require.Len(t, studio.Callbacks("t1"), 5)
	require.NoError(t, studio.Problems())

	studio.NewRun("t1")
	_, err = post(body(t, map[string]any{"completion_ratio": 0.1}))
	require.NoError(t, err)
	_, err = post(body(t, success("e10", nil)))
	require.NoError(t, err)
	require.NoError(t, studio.Problems())
}

func TestStudioAnswersLate(t *testing.T) {
	t.Parallel()
	studio, post := startStudio(t)
	event := body(t, success("e1", nil))

	studio.SetMode(devstack.Mode{Delay: time.Hour, Times: 1})
	ctx, hangUp := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, studio.URL+"task-1", bytes.NewReader(event))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	gone := make(chan error, 1)
	go func() {
		_, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		gone <- err
	}()
	received, err := studio.WaitTerminal(t.Context(), "t1")
	require.NoError(t, err)
	require.False(t, received.Accepted(), "its sender knows nothing yet")
	hangUp()
	require.ErrorIs(t, <-gone, context.Canceled)

	studio.SetMode(devstack.Mode{Delay: time.Millisecond, Times: 1})
	status, err := post(event)
	require.NoError(t, err)
	require.Equal(t, http.StatusNoContent, status)
	all := studio.Callbacks("t1")
	require.Len(t, all, 2)
	require.False(t, all[0].Accepted(), "its sender has hung up")
	require.True(t, all[1].Accepted())
	require.NoError(t, studio.Problems())
}

func FuzzStudio(f *testing.F) {
	f.Add([]byte(`{"status":"success","request_id":"t","event_id":"e","outputs":[null]}`))
	f.Add([]byte(`[]`))
	studio, err := devstack.StartStudio(f.Context(), &devstack.StudioConfig{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, studio.Close()) })
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	f.Fuzz(func(t *testing.T, body []byte) {
		resp, err := client.Post(studio.URL+"x", "application/json", bytes.NewReader(body))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusNoContent, resp.StatusCode, "%q", body)
	})
}

func TestClip(t *testing.T) {
	t.Parallel()
	ctx := setup(t)
	path := t.TempDir() + "/clip.mp4"
	require.NoError(t, devstack.MakeClip(ctx, path, devstack.Clip{Width: 320, Height: 180, Duration: time.Second}))
	facts, err := devstack.Probe(ctx, path)
	require.NoError(t, err)
	require.Equal(t, 320, facts.Width)
	require.EqualValues(t, 30, facts.Frames)
	require.True(t, facts.Audio)
	require.InDelta(t, time.Second, facts.Duration, float64(100*time.Millisecond))

	_, err = devstack.Probe(ctx, "main_test.go")
	require.ErrorIs(t, err, devstack.ErrNoVideo)
	require.True(t, strings.HasPrefix(err.Error(), "main_test.go"), err)
}
