package jobs

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Times and numbers in docs/architecture.md and docs/operations.md are those of the code.
func TestTimesAreDocumented(t *testing.T) {
	t.Parallel()
	const architecture, operations = "../docs/architecture.md", "../docs/operations.md"
	for _, test := range []struct {
		is, said any
		where    string
		words    string
	}{
		{LeaseLength, 20 * time.Second, architecture, "holds its lease (20 s)"},
		{RenewEvery, 5 * time.Second, architecture, "renews it every 5 s"},
		{mistPatience, 45 * time.Second, architecture, "after 45 s of silence the attempts that run go elsewhere"},
		{hintPatience, time.Second, architecture, "a push without one is waited for by a second"},
		{rerunsMost, 2, architecture, "Twice at the most, counted in the attempt's row"},
		{hungStartsMost, 3, architecture, "three times at the most, counted in the row"},
		{startFloor, 10 * time.Second, architecture, "nothing was posted 10 s and the time to read the prepared file after the start"},
		{readingFactor, 3, architecture, "(thrice that if its log shows that it reads)"},
		{MaxAttempts, 3, architecture, "A transcode has three attempts"},
		{freeFor, 24 * time.Hour, architecture, "with growing waits until the run is a day old"},
		{StorePatience, 24 * time.Hour, architecture, "A day behind the push the rendition fails for good"},
		{softStop, 10 * time.Second, operations, "stores and callbacks in hand end (10 s)"},
		{stopHold, 8 * time.Second, operations, "pushes that wait for their first track begin (8 s)"},
		{TakeUpPatience, 5 * time.Minute, operations, "taken back behind five minutes"},
		{postReserve, 2 * time.Second, operations, "its length and 2 s, ten times, and 20 s"},
		{postTries, 10, operations, "its length and 2 s, ten times, and 20 s"},
		{progressMargin, 20 * time.Second, operations, "its length and 2 s, ten times, and 20 s"},
		{gatewayMax, time.Minute, operations, "waits for room, up to a minute between two tries, for a day"},
		{keepDone, 6 * time.Hour, operations, "6 hours from their end"},
		{keepDiscarded, 7 * 24 * time.Hour, operations, "7 days those that were given up"},
	} {
		text, err := os.ReadFile(test.where)
		require.NoError(t, err)
		require.Contains(t, string(text), test.words, test.where)
		require.EqualValues(t, test.said, test.is, test.words)
	}
}
