package mist

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

const handler = "http://127.0.0.1:7979/mist/trigger"

func allTriggers() []TriggerName {
	return []TriggerName{TriggerLiveTrackList, TriggerPushEnd, TriggerRecordingEnd, TriggerInputAbort, TriggerSegmentRejected}
}

// triggerStore keeps triggers as Mist does: one list, replaced whole.
type triggerStore struct {
	mu       sync.Mutex
	triggers json.RawMessage
	writes   int
	deaf     bool // takes nothing
}

func (s *triggerStore) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var cmd struct {
		Config map[string]json.RawMessage `json:"config"`
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &cmd)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if triggers, ok := cmd.Config["triggers"]; ok {
		s.writes++
		if !s.deaf {
			s.triggers = triggers
		}
	}
	config := map[string]any{"iid": "i1", "serverid": ""}
	if s.triggers != nil {
		config["triggers"] = s.triggers
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"LTS": 1, "authorize": map[string]any{"status": "OK"}, "config": config})
}

func (s *triggerStore) list(t *testing.T) map[string][]map[string]any {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	var list map[string][]map[string]any
	require.NoError(t, json.Unmarshal(s.triggers, &list))
	return list
}

func setupTriggers(t *testing.T, stored string) (*Client, *triggerStore) {
	t.Helper()
	store := &triggerStore{}
	if stored != "" {
		store.triggers = json.RawMessage(stored)
	}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	c, err := New(&Config{URL: server.URL + "/api2"})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c, store
}

func TestRegisterTriggers(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, "")
	changed, err := c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
	require.NoError(t, err)
	require.True(t, changed)
	list := store.list(t)
	require.Len(t, list, len(allTriggers()))
	for _, name := range allTriggers() {
		require.Equal(t, []map[string]any{{"handler": handler, "sync": false, "streams": []any{}}}, list[string(name)])
	}

	changed, err = c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
	require.NoError(t, err)
	require.False(t, changed)
	require.Equal(t, 1, store.writes, "nothing is written when all is there")

	// Another filter, fewer names, another port: each replaces what was.
	changed, err = c.RegisterTriggers(t.Context(), handler, allTriggers(), []string{RenditionBase})
	require.NoError(t, err)
	require.True(t, changed)
	moved := "http://127.0.0.1:8080/mist/trigger"
	changed, err = c.RegisterTriggers(t.Context(), moved, allTriggers()[:2], []string{RenditionBase})
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, map[string][]map[string]any{
		"LIVE_TRACK_LIST": {{"handler": moved, "sync": false, "streams": []any{RenditionBase}}},
		"PUSH_END":        {{"handler": moved, "sync": false, "streams": []any{RenditionBase}}},
	}, store.list(t))
}

func TestRegisterTriggersKeepsThoseOfOthers(t *testing.T) {
	t.Parallel()
	others := `{
		"PUSH_END":[
			{"handler":"http://127.0.0.1:9999/mist/trigger","sync":false,"streams":["old"]},
			{"handler":"http://127.0.0.1:7979/other?a=1&b=2","sync":true,"streams":[],"params":"x","default":"true"},
			"/usr/bin/legacy",
			{"handler":"http://elsewhere:7979/mist/trigger","sync":false,"streams":[]}],
		"STREAM_END":[{"handler":"http://127.0.0.1:1/mist/trigger","sync":false,"streams":[]}],
		"USER_NEW":[{"handler":"/usr/bin/gate","sync":true,"streams":["a"],"default":"true"}],
		"CONN_PLAY":{"odd":1},
		"SYSTEM_STOP":null}`
	c, store := setupTriggers(t, others)
	changed, err := c.RegisterTriggers(t.Context(), handler, []TriggerName{TriggerPushEnd, TriggerLiveTrackList}, nil)
	require.NoError(t, err)
	require.True(t, changed)
	ours := `{"handler":"` + handler + `","sync":false,"streams":[]}`
	require.JSONEq(t, `{
		"PUSH_END":[
			{"handler":"http://127.0.0.1:7979/other?a=1&b=2","sync":true,"streams":[],"params":"x","default":"true"},
			"/usr/bin/legacy",
			{"handler":"http://elsewhere:7979/mist/trigger","sync":false,"streams":[]},
			`+ours+`],
		"LIVE_TRACK_LIST":[`+ours+`],
		"USER_NEW":[{"handler":"/usr/bin/gate","sync":true,"streams":["a"],"default":"true"}],
		"CONN_PLAY":{"odd":1},
		"SYSTEM_STOP":null}`, string(store.triggers))
	changed, err = c.RegisterTriggers(t.Context(), handler, []TriggerName{TriggerPushEnd, TriggerLiveTrackList}, nil)
	require.NoError(t, err)
	require.False(t, changed)
}

// Two daemons on one Mist, told apart by the end of their path, leave each other alone.
func TestRegisterTriggersOfTwoDaemons(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, "")
	one, two := "http://127.0.0.1:7979/weir/triggers/one", "http://127.0.0.1:7980/weir/triggers/two"
	for _, handler := range []string{one, two} {
		changed, err := c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
		require.NoError(t, err)
		require.True(t, changed)
	}
	for _, handler := range []string{one, two} {
		changed, err := c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
		require.NoError(t, err)
		require.False(t, changed, "%s was evicted", handler)
	}
	require.Len(t, store.list(t)["PUSH_END"], 2)

	// One of them is moved to another port.
	moved := "http://127.0.0.1:7981/weir/triggers/one"
	_, err := c.RegisterTriggers(t.Context(), moved, allTriggers(), nil)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{
		{"handler": two, "sync": false, "streams": []any{}}, {"handler": moved, "sync": false, "streams": []any{}},
	}, store.list(t)["PUSH_END"])
}

// What an earlier version, or we under another name, registered for our address is ours;
// what another daemon of that version did is not.
func TestRegisterTriggersAfterAnUpgrade(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, `{"PUSH_END":[
		{"handler":"http://127.0.0.1:7979/weir/triggers","sync":false,"streams":[]},
		{"handler":"http://127.0.0.1:7979/weir/triggers/renamed","sync":false,"streams":[]},
		{"handler":"http://127.0.0.1:7980/weir/triggers","sync":false,"streams":[]}]}`)
	ours := "http://127.0.0.1:7979/weir/triggers/one"
	changed, err := c.RegisterTriggers(t.Context(), ours, allTriggers(), nil)
	require.NoError(t, err)
	require.True(t, changed)
	require.Equal(t, []map[string]any{
		{"handler": "http://127.0.0.1:7980/weir/triggers", "sync": false, "streams": []any{}},
		{"handler": ours, "sync": false, "streams": []any{}},
	}, store.list(t)["PUSH_END"])
}

func TestRegisterTriggersNotTaken(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, "")
	store.deaf = true
	_, err := c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
	require.ErrorIs(t, err, ErrRefused)
}

// The recorded configuration of a real Mist, then one that somebody doubled.
func TestRegisterTriggersAsRecorded(t *testing.T) {
	t.Parallel()
	e := recorded(t, "livepeer.json", 0.01)
	var response struct {
		Config struct{ Triggers map[string]json.RawMessage }
	}
	require.NoError(t, json.Unmarshal(e.Response, &response))
	names := slices.Collect(maps.Keys(response.Config.Triggers))
	require.Contains(t, names, string(TriggerLiveTrackList))
	delete(response.Config.Triggers, "STREAM_END") // not one of those that we listen to
	raw, err := json.Marshal(response.Config.Triggers)
	require.NoError(t, err)

	c, store := setupTriggers(t, string(raw))
	changed, err := c.RegisterTriggers(t.Context(), "http://127.0.0.1:8938/t", allTriggers(), nil)
	require.NoError(t, err)
	require.False(t, changed)

	store.triggers = json.RawMessage(strings.Replace(string(raw), `"PUSH_END":[`, `"PUSH_END":[{"handler":"http://127.0.0.1:8938/t","streams":[],"sync":false},`, 1))
	changed, err = c.RegisterTriggers(t.Context(), "http://127.0.0.1:8938/t", allTriggers(), nil)
	require.NoError(t, err)
	require.True(t, changed, "a doubled handler doubles every event")
	require.Len(t, store.list(t)["PUSH_END"], 1)
}

func TestRegisterTriggersLimits(t *testing.T) {
	t.Parallel()
	c, store := setupTriggers(t, `{"PUSH_END":{"odd":1}}`)
	for name, call := range map[string]func() (bool, error){
		"long handler": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), "http://127.0.0.1/"+strings.Repeat("a", 128-17), allTriggers(), nil)
		},
		"many streams": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), handler, allTriggers(), []string{strings.Repeat("a", 253)})
		},
		"a veto trigger": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), handler, []TriggerName{"STREAM_LOAD"}, nil)
		},
		"no path": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), "http://127.0.0.1:7979/", allTriggers(), nil)
		},
		"no URL": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), "/usr/bin/handler", allTriggers(), nil)
		},
		"no list to add to": func() (bool, error) {
			return c.RegisterTriggers(t.Context(), handler, allTriggers(), nil)
		},
	} {
		_, err := call()
		require.ErrorIs(t, err, ErrInvalid, name)
	}
	require.Zero(t, store.writes)
	_, err := c.RegisterTriggers(t.Context(), "http://127.0.0.1/"+strings.Repeat("a", 127-17), []TriggerName{TriggerInputAbort}, []string{strings.Repeat("a", 252)})
	require.NoError(t, err)
}
