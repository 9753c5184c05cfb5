package e2e

import (
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
)

// profilesHeader carries the profiles of a segment where no gateway knows them.
const profilesHeader = "Livepeer-Transcode-Configuration"

// secondSegment is the end of its URL: Mist counts from 1, as its first cut is empty.
const secondSegment = "/2.ts"

// gateway is Livepeer's API with one Broadcaster behind it, for one test: a request
// names it, so that it can misbehave while others' transcodes go on.
type gateway struct {
	*broadcaster.Broadcaster

	token string
	url   string
	// broadcaster is the address that the API gives.
	broadcaster string
	// only leaves out all renditions but those that are named so.
	only string

	mu       sync.Mutex
	profiles map[string]string // by stream: the body that asked for it
}

// calm is how fast a Broadcaster is that takes its time as real ones do. A source of
// two seconds would else be through before Mist, which looks once a second, has told
// of its tracks.
func calm() broadcaster.Faults { return broadcaster.Faults{Mode: broadcaster.ModeSlow, DelayMS: 500} }

// startGateway listens on a free port.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	transcoder, err := broadcaster.New(&broadcaster.Config{LeastInFlight: patience}) // both cores are busy: it would be late by itself
	require.NoError(t, err)
	require.NoError(t, transcoder.SetFaults(calm()))
	g := &gateway{Broadcaster: transcoder, token: rand.Text(), profiles: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/broadcaster", g.list)
	mux.HandleFunc("POST /api/stream", g.open)
	mux.HandleFunc("/live/{stream}/{segment}", g.segment)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	g.url, g.broadcaster = server.URL, server.URL
	return g
}

// livepeer is what a request says to be sent here.
func (g *gateway) livepeer() *livepeer {
	return &livepeer{AccessToken: g.token, APIURL: g.url + "/api"}
}

// list wants no token: MistProcLivepeer sends none when it has one.
func (g *gateway) list(w http.ResponseWriter, _ *http.Request) {
	_, _ = io.WriteString(w, `[{"address":"`+g.broadcaster+`"}]`)
}

func (g *gateway) open(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+g.token {
		http.Error(w, "no", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	id := strings.ToLower(rand.Text())
	g.mu.Lock()
	defer g.mu.Unlock()
	g.profiles[id] = string(body)
	_, _ = io.WriteString(w, `{"id":"`+id+`"}`)
}

func (g *gateway) segment(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	profiles := g.profiles[r.PathValue("stream")]
	g.mu.Unlock()
	if g.only != "" {
		profiles = only(profiles, g.only)
	}
	r.Header.Set(profilesHeader, profiles)
	g.ServeHTTP(w, r)
}
