package e2e

import (
	"encoding/json"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
)

// only takes all profiles out of a request for a stream but the named one.
func only(body, name string) string {
	var asked struct {
		Profiles []broadcaster.Profile `json:"profiles"`
	}
	if json.Unmarshal([]byte(body), &asked) != nil {
		return ""
	}
	asked.Profiles = slices.DeleteFunc(asked.Profiles, func(p broadcaster.Profile) bool { return p.Name != name })
	left, err := json.Marshal(asked)
	if err != nil {
		return ""
	}
	return string(left)
}

func TestLivepeerOfTheRequest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := startGateway(t)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	req.Livepeer = gateway.livepeer()
	b.succeeds(t, b.submit(t, req), facts)
	require.NotZero(t, gateway.Segments(), "the request's own Livepeer did it")
}

func TestLivepeerFails(t *testing.T) {
	t.Parallel()
	nothing := failure{"nothing_returned", "transcode", "livepeer", true}
	misbehave := func(mode string) func(*testing.T, *gateway) {
		return func(t *testing.T, g *gateway) { require.NoError(t, g.SetFaults(broadcaster.Faults{Mode: mode})) }
	}
	for _, test := range []struct {
		name  string
		spoil func(*testing.T, *gateway)
		want  failure
	}{
		{"broadcaster down", func(_ *testing.T, g *gateway) {
			closed := httptest.NewServer(nil)
			closed.Close()
			g.broadcaster = closed.URL
		}, nothing},
		{"token refused", func(_ *testing.T, g *gateway) { g.token += "?" }, nothing},
		{"segments refused", misbehave(broadcaster.ModeRefuse), failure{"segment_rejected", "transcode", "livepeer", true}},
		{"answers of another type", misbehave(broadcaster.ModeContentType), nothing},
		{"garbage", misbehave(broadcaster.ModeGarbage), nothing},
		{"half renditions", misbehave(broadcaster.ModeTruncate), failure{"unplayable", "store", "livepeer", true}},
		{"one rendition only", func(_ *testing.T, g *gateway) { g.only = "a-160x96" }, failure{"rendition_missing", "transcode", "livepeer", true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			gateway := startGateway(t)
			source, _ := b.source(t, plain())
			req := b.request(t, source, sized("a", 160, 96), sized("b", 160, 96))
			req.Livepeer = gateway.livepeer()
			test.spoil(t, gateway)
			transcode := b.fails(t, b.submit(t, req), test.want)
			require.NotContains(t, transcode.Error.Message, gateway.token)
		})
	}
}

// A gateway that is full is waited for, however many attempts that takes.
func TestGatewayFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := startGateway(t)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	req.Livepeer = gateway.livepeer()
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeError}))
	id := b.submit(t, req)
	waiting := b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
		return transcode.State == "queued" && transcode.Attempt > maxAttempts
	})
	require.Equal(t, "gateway_full", waiting.Error.Code)
	require.NoError(t, gateway.SetFaults(calm()))
	b.succeeds(t, id, facts)
}

func TestLivepeerFailsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	gateway := startGateway(t)
	source, facts := b.source(t, plain())
	req := b.request(t, source)
	req.Livepeer = gateway.livepeer()
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeRefuse}))
	id := b.submit(t, req)
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.State == "queued" && transcode.Attempt == 1 })
	require.NoError(t, gateway.SetFaults(calm()))
	require.Equal(t, 2, b.succeeds(t, id, facts).Attempt)
}
