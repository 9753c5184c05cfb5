package e2e

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/mist"
)

// planting is a URL that adds a stream to Mist for whoever gets it.
func (b *testBundle) planting(stream string) string {
	command := `{"addstream":{"` + stream + `":{"source":"/nowhere"}}}`
	return b.Hosts[0].API + "?command=" + url.QueryEscape(command)
}

// planted are the streams of Mist whose names begin so.
func (b *testBundle) planted(t *testing.T, name string) []string {
	t.Helper()
	client, err := mist.New(&mist.Config{URL: b.Hosts[0].API})
	require.NoError(t, err)
	defer client.Close()
	streams, err := client.Streams(b.ctx)
	require.NoError(t, err)
	var found []string
	for _, stream := range streams {
		if strings.HasPrefix(stream, name) {
			found = append(found, stream)
		}
	}
	return found
}

// Whatever a request names drives no Mist, although all of its network is allowed here.
func TestRequestsReachNoMist(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "listen where requests may reach")
	b := setup(t)
	name := "planted" + b.prefix
	plant := b.planting(name)
	redirecting := func(t *testing.T) string {
		server := httptest.NewServer(http.RedirectHandler(plant, http.StatusTemporaryRedirect))
		t.Cleanup(server.Close)
		return server.URL
	}
	s3, err := url.Parse(plant)
	require.NoError(t, err)
	inMist := "s3+http://KEY:SECRET@" + s3.Host + "/bucket/folder"
	for _, test := range []struct {
		name  string
		spoil func(*testing.T, *request)
		want  failure
	}{
		{"source", func(_ *testing.T, r *request) { r.Source.URL = plant }, failure{"source_unreachable", "fetch", "network", true}},
		{"source by another name", func(_ *testing.T, r *request) {
			r.Source.URL = strings.Replace(plant, "127.0.0.1", "localhost", 1)
		}, failure{"source_unreachable", "fetch", "network", true}},
		{"redirected source", func(t *testing.T, r *request) { r.Source.URL = redirecting(t) }, failure{"source_unreachable", "fetch", "network", true}},
		{"source in S3", func(_ *testing.T, r *request) { r.Source.URL = inMist + "/a.mp4" }, failure{"s3_unavailable", "fetch", "network", true}},
		{"output", func(_ *testing.T, r *request) { r.Output.URL = inMist }, failure{"s3_unavailable", "store", "network", true}},
		{"source in the network", func(_ *testing.T, r *request) { r.Source.URL = "http://169.254.169.254/latest/meta-data/" }, failure{"source_unreachable", "fetch", "network", true}},
		{"Livepeer", func(_ *testing.T, r *request) {
			r.Livepeer = &livepeer{AccessToken: "t", APIURL: plant}
		}, failure{"livepeer_refused", "fetch", "input", false}},
		{"Livepeer that nobody listed", func(_ *testing.T, r *request) {
			r.Livepeer = &livepeer{AccessToken: "t", APIURL: "https://livepeer.example/api"}
		}, failure{"livepeer_refused", "fetch", "input", false}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			source, _ := b.source(t, plain())
			req := b.request(t, source)
			test.spoil(t, req)
			b.fails(t, b.submit(t, req), test.want)
			require.Empty(t, b.planted(t, name))
		})
	}
}

// A callback drives no Mist either, and its transcode succeeds all the same.
func TestCallbacksReachNoMist(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "listen where requests may reach")
	b := setupOwn(t, func(*devstack.Config) {}) // the callback will be tried for a day
	name := "planted" + b.prefix
	control, err := http.NewRequestWithContext(b.ctx, http.MethodGet, b.planting(name+"control"), http.NoBody)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(control)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.NotEmpty(t, b.planted(t, name), "else these tests show nothing")

	source, _ := b.source(t, plain())
	req := b.request(t, source)
	req.CallbackURL = b.planting(name + "callback")
	id := b.submit(t, req)
	await(t, b.ctx, "a callback that was tried", func() bool {
		return len(b.lines(t, "SELECT 'x' FROM weir.callbacks WHERE transcode_id = $1 AND attempts > 0", id)) > 0
	})
	why := b.lines(t, `SELECT coalesce(a.error, '') FROM weir.callback_attempts a JOIN weir.callbacks c ON c.id = a.callback_id WHERE c.transcode_id = $1`, id)
	require.NotEmpty(t, why)
	require.Contains(t, why[0], "our own listeners")
	require.Empty(t, b.planted(t, name+"callback"))
}
