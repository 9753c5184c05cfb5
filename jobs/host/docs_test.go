package host

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
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
		{leaseMargin, 5 * time.Second, architecture, "5 s before its end the host lets go of what runs"},
		{inputPatience, 30 * time.Second, architecture, "up to 30 s for them to go"},
		{pageGrace, 30 * time.Second, architecture, "attempts that were cleaned up 30 s ago"},
		{strangeFor, 24 * time.Hour, architecture, "(or that no row knows of, after a day)"},
		{tellEvery, 5 * time.Second, architecture, "in one statement every 5 s"},
		{reconcileEvery, 10 * time.Second, architecture, "The comparison every 10 s"},
		{reconcileEvery, 10 * time.Second, operations, "Every 10 s a host compares"},
		{upgradeLease, time.Minute, operations, "start it again within a minute"},
		{mistAnswers, 10 * time.Second, operations, "waits up to 10 s for each answer"},
		{storeRetryMax, time.Minute, operations, "tried again up to once a minute"},
		{storesSpare, 2, operations, "workers of twice as many at the most"},
		{residueAgain, 15 * time.Minute, operations, "looks a second time 15 minutes later"},
	} {
		text, err := os.ReadFile(test.where)
		require.NoError(t, err)
		require.Contains(t, string(text), test.words, test.where)
		require.EqualValues(t, test.said, test.is, test.words)
	}
}
