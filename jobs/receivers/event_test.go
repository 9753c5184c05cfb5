package receivers_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs/receivers"
)

// The messages of events are those of docs/callback.md.
func TestEventsOfTheDocs(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/callback.md")
	require.NoError(t, err)
	row := dbsqlc.EventDeliveryContentRow{
		Event: dbsqlc.Event{
			ID: 1042, TranscodeID: uuid.MustParse("019ab3c4-5d6e-7f80-9a1b-2c3d4e5f6071"), Tenant: "studio", ExternalID: new("task-4711"),
			Type: "rendition.ready", State: "running", Run: 1, Attempt: 1, HostID: new("mist-1"), Ratio: 0.45, Rendition: new("720p"),
			CreatedAt: time.Date(2026, 3, 1, 13, 0, 0, 500_000_000, time.FixedZone("", 3600)),
		},
		Metadata: json.RawMessage(`{"asset": "a-17"}`), Labels: json.RawMessage(`{"customer": "acme"}`),
	}
	failed := row
	failed.Metadata, failed.Labels = json.RawMessage(`{}`), json.RawMessage(`{}`)
	failed.Event.ID, failed.Event.Type, failed.Event.State, failed.Event.Attempt = 1043, "transcode.failed", "failed", 3
	failed.Event.ExternalID, failed.Event.Rendition, failed.Event.ErrorCode, failed.Event.ErrorStage = nil, nil, new("source_no_video"), new("probe")
	for name, row := range map[string]dbsqlc.EventDeliveryContentRow{"rendition.ready": row, "transcode.failed": failed} {
		_, want, found := strings.Cut(string(guide), "```json event "+name+".json\n")
		require.True(t, found, name)
		want, _, _ = strings.Cut(want, "```")
		body, err := receivers.EventBody(uuid.MustParse("019ab3c4-9f00-7a01-8b02-3c4d5e6f7081"), &row)
		require.NoError(t, err)
		var indented bytes.Buffer
		require.NoError(t, json.Indent(&indented, body, "", "  "))
		require.Equal(t, want, indented.String()+"\n", name)
	}
}
