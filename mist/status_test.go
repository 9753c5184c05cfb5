package mist

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		file  string
		at    float64
		check func(t *testing.T, s Status)
	}{
		{"source online, nothing else", "livepeer.json", 1.041, func(t *testing.T, s Status) {
			require.Equal(t, map[string]StreamStatus{"tr_src_rechappy": {State: StreamOnline, LastMS: 28082, Tracks: 1}}, s.Streams)
			require.Empty(t, s.Pushes)
			require.Empty(t, s.Processes)
		}},
		{"in the middle", "livepeer.json", 10.066, func(t *testing.T, s Status) {
			require.Equal(t, StreamStatus{State: StreamOnline, LastMS: 20023, Tracks: 2}, s.Streams["tr_rend_+rechappy"])
			require.Len(t, s.Pushes, 2)
			require.True(t, s.Pushes[0].HasStatus)
			require.Equal(t, PushStatus{MediaMS: 11990, Bytes: 546892, ActiveSeconds: 4}, s.Pushes[0].PushStatus)
			require.Len(t, s.Pushes[0].Logs, 6)
			require.Equal(t, "WARN: Record begin at -1 ms not available, starting at 23 ms instead", s.Pushes[0].Logs[1].String())
			require.Empty(t, Failure(s.Pushes[0].Logs))
			require.Equal(t, map[int]ProcessStatus{6518: {
				Source: "tr_src_rechappy", Sink: "tr_rend_+rechappy", ActiveSeconds: 6, PercentDone: 28,
				SourceMS: 12023, SinkMS: 7990, Broadcaster: "http://127.0.0.1:8935",
			}}, s.Processes)
		}},
		{"process gone", "livepeer.json", 12.069, func(t *testing.T, s Status) {
			require.True(t, s.Processes[6518].Terminated)
			require.NotContains(t, s.Streams, "tr_rend_+rechappy")
		}},
		{"nothing left", "livepeer.json", 18.079, func(t *testing.T, s Status) {
			require.Empty(t, s.Streams)
			require.Empty(t, s.Pushes)
			require.Empty(t, s.Processes)
		}},
		{"upstream, zeros", "upstream.json", 4.039, func(t *testing.T, s Status) {
			require.Len(t, s.Pushes, 2)
			require.True(t, s.Pushes[0].HasStatus)
			require.Zero(t, s.Pushes[0].PushStatus)
			require.Len(t, s.Pushes[0].Logs, 8)
		}},
		{"upstream, in the middle", "upstream.json", 7.053, func(t *testing.T, s Status) {
			require.Equal(t, PushStatus{MediaMS: 11990, Bytes: 546892, ActiveSeconds: 4}, s.Pushes[0].PushStatus)
			require.Equal(t, 42, s.Processes[21104].PercentDone)
		}},
		{"upstream, just ended", "upstream.json", 10.061, func(t *testing.T, s Status) {
			require.Equal(t, StreamStatus{State: StreamOffline}, s.Streams["tr_rend_+rechappy"])
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			p := setup(t, string(recorded(t, tc.file, tc.at).Response))
			s, err := p.client.Status(t.Context(), "tr_src_rechappy", "tr_rend_+rechappy")
			require.NoError(t, err)
			tc.check(t, s)
			require.JSONEq(t, `{"active_streams":{"streams":["tr_src_rechappy","tr_rend_+rechappy"],"fields":["status","lastms","tracks"],"longform":true},"push_list":true,"proc_list":""}`, p.requests()[0])
		})
	}
}

func TestStatusOfAllStreams(t *testing.T) {
	t.Parallel()
	p := setup(t, `{"LTS":1,"authorize":{"status":"OK"},"active_streams":null,"proc_list":null,"push_list":null}`)
	_, err := p.client.Status(t.Context())
	require.NoError(t, err)
	var cmd struct {
		Active map[string]any `json:"active_streams"`
	}
	require.NoError(t, json.Unmarshal([]byte(p.requests()[0]), &cmd))
	require.NotContains(t, cmd.Active, "streams")
}

func TestPercentDone(t *testing.T) {
	t.Parallel()
	for reported, want := range map[string]int{
		"0": 0, "28": 28, "100": 100, "101": 100, "-5": 0, "184467440737095": 0, "18446744073709551615": 0, "null": 0, "1e14": 0,
	} {
		var e processEntry
		require.NoError(t, json.Unmarshal([]byte(`{"ainfo":{"percent_done":`+reported+`}}`), &e))
		require.Equal(t, want, e.status().PercentDone, reported)
	}
}
