package control

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/jobs/retention"
)

// Times and numbers in docs/architecture.md and docs/operations.md are those of the code.
func TestTimesAreDocumented(t *testing.T) {
	t.Parallel()
	const architecture, operations = "../../docs/architecture.md", "../../docs/operations.md"
	for _, test := range []struct {
		is, said any
		where    string
		words    string
	}{
		{roundMost, 64, architecture, "a round places 64 at the most"},
		{roundLarge, 256, architecture, "one for each four, up to 256"},
		{hostsPerPlace, 4, architecture, "one for each four hosts, up to 256"},
		{retention.Every, 10 * time.Minute, architecture, "| control | every ten minutes |"},
		{retention.Batch, 500, architecture, "are removed, 500 in a transaction"},
		{statusEvery, 5 * time.Second, architecture, "| control | every 5 s | statuses that are due"},
		{tellFor, 15 * time.Second, architecture, "a claim of a dead daemon runs out after 15 s"},
		{placePoll, 2 * time.Second, architecture, "daemons that lead ask every 2 s for it"},
		{resumeEvery, 30 * time.Second, architecture, "A queue that somebody pauses goes on within 30 s"},
		{gateSilent, 1, operations, "it gets one delivery at a time until it answers"},
		{retention.Batch, 500, operations, "in batches of 500"},
	} {
		text, err := os.ReadFile(test.where)
		require.NoError(t, err)
		require.Contains(t, string(text), test.words, test.where)
		require.EqualValues(t, test.said, test.is, test.words)
	}
}
