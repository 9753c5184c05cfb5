package e2e

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// request is a body of POST /v1/transcodes.
type request struct {
	devstack.Request
	// Livepeer is the request's own way to Livepeer; nil for the daemon's.
	Livepeer *livepeer `json:"livepeer,omitempty"`
}

type livepeer struct {
	AccessToken string `json:"access_token"`
	APIURL      string `json:"api_url"`
}

// request asks for one small rendition where no profile is given.
func (b *testBundle) request(t *testing.T, source secret.Secret, profiles ...devstack.Profile) *request {
	t.Helper()
	if len(profiles) == 0 {
		profiles = []devstack.Profile{sized("small", 160, 96)}
	}
	return &request{Request: devstack.Request{
		Source: devstack.Location{URL: string(source)}, Output: devstack.Location{URL: string(b.object(t, "out"))},
		CallbackURL: b.receiver.URL + b.prefix, Profiles: profiles,
	}}
}

// submit posts the request and returns the transcode's id.
func (b *testBundle) submit(t *testing.T, req *request) string {
	t.Helper()
	answer, err := b.API.Do(b.ctx, http.MethodPost, "/v1/transcodes", req)
	require.NoError(t, err)
	var transcode devstack.Transcode
	require.NoError(t, json.Unmarshal(answer, &transcode))
	require.NotEmpty(t, transcode.ID)
	require.Len(t, transcode.Renditions, len(req.Profiles), "all renditions are there from the first moment")
	return transcode.ID
}
