package mist

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const happyTarget = "/spool/rechappy/1_320x180.ts?video=1&audio=none&recstart=-1&waittrackcount=1&recstop=20000"

func TestPushTarget(t *testing.T) {
	t.Parallel()
	require.Equal(t, happyTarget, PushTarget("/spool/rechappy/1_320x180.ts", 1, 20000))
}

func TestStartPush(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file string
		at   float64
		pid  int
	}{{"livepeer.json", 2.87, 6593}, {"upstream.json", 2.095, 21172}} {
		t.Run(tc.file, func(t *testing.T) {
			t.Parallel()
			e := recorded(t, tc.file, tc.at)
			p := setup(t, string(e.Response), string(e.Response))
			for range 2 { // Mist ignores the second and lists the first
				push, err := p.client.StartPush(t.Context(), "tr_rend_+rechappy", happyTarget)
				require.NoError(t, err)
				require.Equal(t, Push{PID: tc.pid, Stream: "tr_rend_+rechappy", Target: happyTarget, TargetUsed: happyTarget}, push)
			}
			require.JSONEq(t, string(e.Request), p.requests()[0])
			require.Contains(t, p.requests()[0], "video=1&audio", "not escaped")
		})
	}
}

func TestStartPushNotStarted(t *testing.T) {
	t.Parallel()
	e := recorded(t, "livepeer.json", 2.87)
	p := setup(t, `{"LTS":1,"authorize":{"status":"OK"},"push_list":null}`, string(e.Response))
	_, err := p.client.StartPush(t.Context(), "tr_rend_+rechappy", happyTarget)
	require.ErrorIs(t, err, ErrPushNotStarted)
	require.Contains(t, err.Error(), "tr_rend_+rechappy")
	_, err = p.client.StartPush(t.Context(), "tr_rend_+rechappy", strings.Replace(happyTarget, "20000", "20001", 1))
	require.ErrorIs(t, err, ErrPushNotStarted, "another target is another push")
	_, err = p.client.StartPush(t.Context(), "tr_rend_+rechappy", "/$spool/a.ts")
	require.ErrorIs(t, err, ErrInvalid)
}

func TestStopPush(t *testing.T) {
	t.Parallel()
	p := setup(t, `{"LTS":1,"authorize":{"status":"OK"},"push_list":null}`)
	require.NoError(t, p.client.StopPush(t.Context(), 9193, 9195))
	require.JSONEq(t, `{"push_stop":[9193,9195],"push_list":true}`, p.requests()[0])
	require.NoError(t, p.client.StopPush(t.Context()))
	require.Len(t, p.requests(), 1)
}

func TestPushListEntries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		entry string
		want  Push
		bad   bool
	}{
		"four fields":       {entry: `[1,"s","t","u"]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u"}},
		"no logs":           {entry: `[1,"s","t","u",null]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u"}},
		"no logs, a status": {entry: `[1,"s","t","u",null,{"active_seconds":7,"bytes":123,"mediatime":4960,"tracks":[0,3]}]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u", HasStatus: true, PushStatus: PushStatus{MediaMS: 4960, Bytes: 123, ActiveSeconds: 7}}},
		"no status":         {entry: `[1,"s","t","u",[],null]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u"}},
		"zeros":             {entry: `[1,"s","t","u",null,{"active_ms":0,"active_seconds":0,"current_target":"","media_tx":0,"mediatime":0}]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u", HasStatus: true}},
		"odd log lines":     {entry: `[1,"s","t","u",[[1,"INFO"],[null,2,3],[5,"WARN","m"]]]`, want: Push{PID: 1, Stream: "s", Target: "t", TargetUsed: "u", Logs: []LogLine{{At: time.Unix(5, 0), Kind: "WARN", Message: "m"}}}},
		"three fields":      {entry: `[1,"s","t"]`, bad: true},
		"an object":         {entry: `{"id":1}`, bad: true},
		"a name for a PID":  {entry: `["x","s","t","u"]`, bad: true},
		"logs of no kind":   {entry: `[1,"s","t","u","x"]`, bad: true},
		"status of no kind": {entry: `[1,"s","t","u",null,"x"]`, bad: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := setup(t, `{"LTS":1,"authorize":{"status":"OK"},"active_streams":null,"proc_list":null,"push_list":[`+tc.entry+`]}`)
			status, err := p.client.Status(t.Context())
			if tc.bad {
				require.ErrorIs(t, err, ErrUnexpected)
				return
			}
			require.NoError(t, err)
			require.Equal(t, []Push{tc.want}, status.Pushes)
		})
	}
}

// What PUSH_END carries: its logs and status in both trees.
func TestPushEndPayloads(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, tr := range recordedTriggers(t) {
		if tr.Trigger != "PUSH_END" {
			continue
		}
		lines := strings.Split(tr.Body, "\n")
		require.Len(t, lines, 6)
		logs, err := ParsePushLogs([]byte(lines[4]))
		require.NoError(t, err)
		require.NotEmpty(t, logs)
		status, ok, err := ParsePushStatus([]byte(lines[5]))
		require.NoError(t, err)
		switch {
		case strings.HasSuffix(tr.Recording, "push_unwritable.jsonl"):
			require.Contains(t, Failure(logs), "Could not connect to the target for recording")
			require.Zero(t, status)
			require.Equal(t, tr.Tree == "upstream", ok)
		default:
			require.True(t, ok)
			require.Positive(t, status.Bytes)
			require.Positive(t, status.MediaMS)
		}
		seen[tr.Recording]++
	}
	require.Len(t, seen, 5)
}

func FuzzParsePush(f *testing.F) {
	f.Add(`[1,"s","t","u",[[5,"WARN","m","s"]],{"active_seconds":7,"bytes":123,"mediatime":4960,"tracks":[0,3]}]`)
	f.Add(`[1,"s","t","u",null,null]`)
	f.Fuzz(func(t *testing.T, entry string) {
		p, err := parsePush([]byte(entry))
		if err == nil && !p.HasStatus && p.PushStatus != (PushStatus{}) {
			t.Fatalf("a status that is none: %+v", p)
		}
	})
}
