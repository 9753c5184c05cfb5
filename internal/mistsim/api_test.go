package mistsim_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
)

// post sends a raw request and returns the answer's text and type.
func (h *host) post(t *testing.T, path, contentType, body string, header ...string) (string, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(h.URL(), "/api2")+path, strings.NewReader(body))
	require.NoError(t, err)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.client.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text), resp.Header.Get("Content-Type")
}

func TestContentTypeDecides(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	const add = `{"addstream":{"tr_src_a":{"source":"/a.ts"}}}`
	const nothing = `{"LTS":1,"authorize":{"status":"NOACC"}}` + "\n\n"
	form := url.Values{"command": {add}}.Encode()
	cases := map[string]struct {
		path, contentType, body string
		obeyed                  bool
	}{
		"json":                {"/api2", "application/json", add, true},
		"json with charset":   {"/api2", "application/json; charset=utf-8", add, false},
		"json without a type": {"/api2", "", add, false},
		"form":                {"/api2", "application/x-www-form-urlencoded", form, true},
		"form with charset":   {"/api2", "application/x-www-form-urlencoded; charset=utf-8", form, false},
		"form called json":    {"/api2", "application/json", form, false},
		"query":               {"/api2?" + form, "", "", true},
		"broken json":         {"/api2", "application/json", `{"addstream":`, false},
		"array":               {"/api2", "application/json", `[1]`, false},
		"empty":               {"/api2", "application/json", ``, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			text, kind := h.post(t, c.path, c.contentType, c.body)
			require.Equal(t, "text/javascript", kind)
			if c.obeyed {
				require.Contains(t, text, `"incomplete list":1,"tr_src_a":{"name":"tr_src_a","source":"/a.ts"}`)
			} else {
				require.JSONEq(t, nothing, text)
			}
		})
	}
	text, kind := h.post(t, "/", "", "")
	require.Equal(t, "text/html", kind)
	require.Contains(t, text, "<html>")
	text, _ = h.post(t, "/api", "", "")
	require.Contains(t, text, `"streams":{"tr_src_a"`, "/api tells all")
}

func TestStreams(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	got := h.ask(t, object{"addstream": object{
		"tr_src_a": object{"source": "/a.ts", "anything": []int{1}}, "Upper": object{"source": "/b.ts"},
		strings.Repeat("a", 101): object{"source": "/c.ts"}, "tr_rend_": object{"source": "push://", "DVR": 86400000},
	}})
	require.Equal(t, object{
		"incomplete list": 1.0,
		"tr_src_a":        object{"name": "tr_src_a", "source": "/a.ts", "anything": []any{1.0}},
		"tr_rend_":        object{"name": "tr_rend_", "source": "push://", "DVR": 86400000.0},
	}, got["streams"], "rejected names are absent")
	for _, form := range []any{"tr_src_a", []string{"tr_src_a"}, object{"tr_src_a": 1}} {
		h.ask(t, object{"addstream": object{"tr_src_a": object{"source": "/a.ts"}}})
		require.Equal(t, object{"incomplete list": 1.0}, h.ask(t, object{"deletestream": form})["streams"])
		require.NotContains(t, h.ask(t, object{"streams": true})["streams"], "tr_src_a")
	}
	both := h.ask(t, object{"deletestream": "tr_src_x", "addstream": object{"tr_src_x": object{"source": "/a.ts"}}})
	require.Equal(t, object{"incomplete list": 1.0}, both["streams"], "deletion runs after addition, whatever the order")
}

func TestConfig(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	first := h.ask(t, object{"config": object{}})["config"].(object)
	require.NotEmpty(t, first["iid"])
	require.NotEmpty(t, first["version"])
	require.InDelta(t, time.Now().Unix(), first["time"], patience.Seconds())
	h.register(t)
	entry := []any{object{"handler": "http://127.0.0.1:1/t", "sync": false, "streams": []any{}}}
	h.ask(t, object{"config": object{"triggers": object{"PUSH_END": entry}}})
	got := h.ask(t, object{"config": object{}})["config"].(object)
	require.Equal(t, object{"PUSH_END": entry}, got["triggers"], "replaced as a whole")
	require.Equal(t, first["iid"], got["iid"])

	other := setup(t, mistsim.Config{})
	require.NotEqual(t, first["iid"], other.ask(t, object{"config": object{}})["config"].(object)["iid"])
}

func TestAuthorize(t *testing.T) {
	t.Parallel()
	const user, password = "weir", "secret"
	sum := func(text string) string { s := md5.Sum([]byte(text)); return hex.EncodeToString(s[:]) }
	account := map[string]string{user: sum(password)}
	ask := object{"config": object{}}

	local := setup(t, mistsim.Config{Accounts: account})
	require.Equal(t, object{"local": true, "status": "OK"}, local.ask(t, ask)["authorize"])
	h := setup(t, mistsim.Config{Accounts: account, NoLocalAuth: true, Timing: mistsim.Timing{LoginPause: time.Millisecond}})
	refused := h.ask(t, ask)
	require.NotContains(t, refused, "config")
	answer := refused["authorize"].(object)
	require.Equal(t, "CHALL", answer["status"])
	challenge := answer["challenge"].(string)
	login := func(password string) object {
		return h.ask(t, object{"authorize": object{"username": user, "password": sum(sum(password) + challenge)}, "config": object{}})
	}
	require.Equal(t, "CHALL", login("wrong")["authorize"].(object)["status"])
	accepted := login(password)
	require.Equal(t, object{"status": "OK"}, accepted["authorize"])
	require.Contains(t, accepted, "config")
	require.Equal(t, "OK", h.ask(t, ask)["authorize"].(object)["status"], "the connection stays authorized")
	h.client.CloseIdleConnections()
	require.Equal(t, "CHALL", h.ask(t, ask)["authorize"].(object)["status"], "a new one is not")

	proxied, _ := setup(t, mistsim.Config{Accounts: account, Timing: mistsim.Timing{LoginPause: time.Millisecond}}).
		post(t, "/api2", "application/json", `{"config":{}}`, "X-Real-IP", "10.0.0.1")
	require.Contains(t, proxied, "CHALL")
}

func TestNothingRuns(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	got := h.poll(t, "a")
	for _, key := range []string{"push_list", "proc_list", "active_streams"} {
		require.Contains(t, got, key)
		require.Nil(t, got[key], key)
	}
	h.ask(t, object{"addstream": object{"tr_src_a": object{"source": "/nothere.ts"}, "tr_rend_": object{"source": "push://"}}})
	out := t.TempDir()
	for _, target := range []string{out + "/a.ts", out + "/a.mp4", "/dev/null", "s3+http://k:s@h/b/a.ts"} {
		got = h.ask(t, object{"push_start": object{"stream": "tr_rend_+a", "target": target}, "push_list": true})
		require.Nil(t, got["push_list"], "a push on an offline stream does nothing")
	}
	h.ask(t, object{"nuke_stream": "tr_rend_+a", "push_stop": []int{1, 2}, "unknown_command": true})
	require.NotEmpty(t, h.ask(t, object{"api_endpoint": true})["api_endpoint"])
	require.NotEmpty(t, h.ask(t, object{"capabilities": true})["capabilities"])
	require.Contains(t, h.ask(t, object{"log": true}), "log")
	require.NotContains(t, h.ask(t, object{"version": true}), "version", "is of the other tree")
}

func TestRestartKeepsTheConfig(t *testing.T) {
	t.Parallel()
	cfg := mistsim.Config{Dir: t.TempDir(), Listen: "127.0.0.1:0"}
	begin := func() *host {
		server, err := mistsim.New(&cfg)
		require.NoError(t, err)
		require.NoError(t, server.Start(t.Context()))
		client := &http.Client{Transport: &http.Transport{}}
		t.Cleanup(client.CloseIdleConnections)
		return &host{Server: server, client: client, handler: newHandler(t)}
	}
	h := begin()
	h.register(t)
	h.ask(t, object{"addstream": object{"tr_rend_": object{"source": "push://"}}})
	before := h.ask(t, object{"config": object{}})["config"].(object)
	require.NoError(t, h.Close())
	require.NoError(t, h.Close(), "twice is no error")
	h = begin()
	after := h.ask(t, object{"config": object{}, "streams": true})
	require.Equal(t, before["triggers"], after["config"].(object)["triggers"])
	require.Contains(t, after["streams"], "tr_rend_")
	require.NotEqual(t, before["iid"], after["config"].(object)["iid"])
	require.NoError(t, h.Close())

	// Killed while it saved.
	require.NoError(t, os.WriteFile(filepath.Join(cfg.Dir, "config.json"), []byte(`{"config": {"tri`), 0o600))
	h = begin()
	after = h.ask(t, object{"config": object{}, "streams": true})
	require.Empty(t, after["config"].(object)["triggers"])
	require.Empty(t, after["streams"])
	require.NoError(t, h.Close())
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	_, err := mistsim.New(&mistsim.Config{})
	require.ErrorContains(t, err, "Config.Dir")
	_, err = mistsim.New(&mistsim.Config{Dir: "/x", Flavour: "nightly"})
	require.ErrorContains(t, err, "nightly")
	h := setup(t, mistsim.Config{})
	taken := mistsim.Config{Dir: t.TempDir(), Listen: strings.TrimSuffix(strings.TrimPrefix(h.URL(), "http://"), "/api2")}
	second, err := mistsim.New(&taken)
	require.NoError(t, err)
	require.ErrorContains(t, second.Start(t.Context()), "-listen")
	require.NoError(t, second.Close())
}

func TestFaultsEndpoint(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{})
	text, _ := h.post(t, mistsim.FaultsPath, "application/json", `{"lose_triggers":["PUSH_END"],"delay_api_ms":1}`)
	var got mistsim.Faults
	require.NoError(t, json.Unmarshal([]byte(text), &got))
	require.Equal(t, mistsim.Faults{LoseTriggers: []string{"PUSH_END"}, DelayAPIMS: 1}, got)
	for _, wrong := range []string{`{"lose_pushes":3,"of_pushes":2}`, `{"lose_pushes_as":"x"}`, `{"hang_start_as":"x"}`, `{"x":1}`} {
		resp, err := h.client.Post(strings.TrimSuffix(h.URL(), "/api2")+mistsim.FaultsPath, "application/json", strings.NewReader(wrong))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusBadRequest, resp.StatusCode, wrong)
	}
	require.NoError(t, h.SetFaults(mistsim.Faults{RefuseAPI: true}))
	_, err := h.client.Post(h.URL(), "application/json", strings.NewReader(`{}`))
	require.Error(t, err)
}
