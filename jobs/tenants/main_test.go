package tenants

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAllows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		allowed     []string
		bucket, key string
		how         int
	}{
		{[]string{"*"}, "media", "a", 0},
		{[]string{"media"}, "media", "", 5},
		{[]string{"media"}, "medi", "a", -1},
		{[]string{"media/out"}, "media", "out", 9},
		{[]string{"media/out"}, "media", "out/a", 9},
		{[]string{"media/out/"}, "media", "out/a", 10},
		{[]string{"media/out"}, "media", "outside", -1},
		{[]string{"media/out"}, "media", "", -1},
		{[]string{"*", "media/out", "media"}, "media", "out/a", 9},
	} {
		require.Equal(t, test.how, allows(test.allowed, test.bucket, test.key), "%v", test)
	}
}
