package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

// A real run as its listener sees it: each step once and in order, a ratio that never goes
// down, and an end.
func TestEventsOfARun(t *testing.T) {
	t.Parallel()
	b := setup(t)
	source, facts := b.source(t, plain())
	id := b.submit(t, b.request(t, source, sized("less", 208, 120), sized("least", 160, 90)))
	var types []string
	last, ratio := int64(0), 0.0
	require.NoError(t, b.API.Follow(b.ctx, "/v1/transcodes/"+id+"/events", "", func(e devstack.Event) bool {
		if e.Type == "end" {
			types = append(types, e.Type)
			return true // the daemon closes it
		}
		var data struct {
			Transcode struct {
				ID    string  `json:"id"`
				Ratio float64 `json:"ratio"`
			} `json:"transcode"`
			Rendition string `json:"rendition"`
		}
		require.NoError(t, json.Unmarshal(e.Data, &data))
		require.Equal(t, id, data.Transcode.ID)
		if e.ID == "" {
			return true
		}
		n, err := strconv.ParseInt(e.ID, 10, 64)
		require.NoError(t, err)
		require.Greater(t, n, last)
		require.GreaterOrEqual(t, data.Transcode.Ratio, ratio)
		last, ratio = n, data.Transcode.Ratio
		types = append(types, e.Type)
		if name, _, _ := strings.Cut(data.Rendition, "-"); name != "" {
			types[len(types)-1] += " " + name
		}
		return true
	}))
	b.succeeds(t, id, facts)
	// Mist may be done before the last store, or after it.
	require.Subset(t, []string{
		"transcode.queued", "transcode.placed", "transcode.started", "rendition.pushed less", "rendition.pushed least", "transcode.storing",
		"rendition.ready less", "rendition.ready least", "transcode.succeeded", "end",
	}, types)
	require.Equal(t, []string{"transcode.queued", "transcode.placed", "transcode.started"}, types[:3])
	require.Equal(t, []string{"transcode.succeeded", "end"}, types[len(types)-2:])
	for _, step := range []string{"rendition.pushed less", "rendition.pushed least", "rendition.ready less", "rendition.ready least"} {
		require.Contains(t, types, step)
	}
	require.InDelta(t, 1, ratio, 0)
}
