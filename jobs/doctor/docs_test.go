package doctor

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// docs/doctor.md has a section for each code, with the line that mends it, in the order in
// which they are shown, and no other.
func TestSections(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/doctor.md")
	require.NoError(t, err)
	var headings []string
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		headings = append(headings, heading)
		code := Code(heading)
		require.NotEmpty(t, code.Mend(), heading)
		require.Contains(t, body, "\nMends it: "+code.Mend()+"\n", heading)
		require.Equal(t, code.Cheap(), strings.Contains(body, "every 5 minutes"), heading)
	}
	require.Equal(t, names(), headings)
	require.Contains(t, string(text), "every 5 minutes at what is cheap")
	require.Equal(t, "5m0s", AskEvery.String())
	require.Contains(t, string(text), fmt.Sprintf("of more than %d MiB of which the planner", smallTable>>20))
}
