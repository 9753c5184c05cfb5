package studio

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"weir/secret"

	"github.com/stretchr/testify/require"
)

const doc = "../docs/callback.md"

// vector is one line of the test vectors in docs/callback.md.
type vector struct {
	Secret secret.Secret `json:"-"`
	Key    string        `json:"secret"`
	ID     string        `json:"id"`
	Time   int64         `json:"time"`
	Body   string        `json:"body"`
	Header string        `json:"header"`
}

func vectors(t *testing.T, block string) []vector {
	t.Helper()
	text, err := os.ReadFile(doc)
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(text), "```json "+block+"\n")
	require.True(t, found, "no %s in %s", block, doc)
	listed, _, _ := strings.Cut(rest, "```")
	var all []vector
	require.NoError(t, json.Unmarshal([]byte(listed), &all))
	require.NotEmpty(t, all)
	for i := range all {
		all[i].Secret = secret.Secret(all[i].Key)
	}
	return all
}

func TestSignatureVectorsOfTheDocs(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "vectors") {
		at := time.Unix(v.Time, 0)
		require.Equal(t, v.Header, Sign(at, []byte(v.Body), v.Secret))
		require.NoError(t, Verify(v.Header, []byte(v.Body), at, 0, "other", v.Secret))
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	now := time.Unix(1795356725, 0)
	body := []byte(`{"status":"success"}`)
	good := Sign(now, body, "new")
	sum := strings.TrimPrefix(good, "t=1795356725,")
	old := strings.TrimPrefix(Sign(now, body, "old"), "t=1795356725,")
	for name, test := range map[string]struct {
		header  string
		body    []byte
		now     time.Time
		secrets []secret.Secret
		want    error
	}{
		"good":                 {good, body, now, []secret.Secret{"new"}, nil},
		"good while rotating":  {good, body, now, []secret.Secret{"old", "new"}, nil},
		"signed by two":        {Sign(now, body, "old", "new"), body, now, []secret.Secret{"new"}, nil},
		"two sums":             {"t=1795356725," + old + "," + sum, body, now, []secret.Secret{"new"}, nil},
		"spaces and unknown":   {"t=1795356725, v2=zz, " + sum, body, now, []secret.Secret{"new"}, nil},
		"at the edge":          {good, body, now.Add(DefaultTolerance), []secret.Secret{"new"}, nil},
		"too late":             {good, body, now.Add(DefaultTolerance + time.Second), []secret.Secret{"new"}, ErrSignatureExpired},
		"from the future":      {good, body, now.Add(-DefaultTolerance - time.Second), []secret.Secret{"new"}, ErrSignatureExpired},
		"other body":           {good, []byte(`{"status":"error"}`), now, []secret.Secret{"new"}, ErrSignatureWrong},
		"other secret":         {good, body, now, []secret.Secret{"old"}, ErrSignatureWrong},
		"no secret":            {good, body, now, nil, ErrSignatureWrong},
		"empty secret":         {Sign(now, body, ""), body, now, []secret.Secret{""}, ErrSignatureWrong},
		"other time":           {"t=1795356726," + sum, body, now, []secret.Secret{"new"}, ErrSignatureWrong},
		"empty":                {"", body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"no time":              {sum, body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"two times":            {"t=1795356725," + good, body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"no sum":               {"t=1795356725", body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"short sum":            {"t=1795356725,v1=abcd", body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"sum is no hex":        {"t=1795356725,v1=" + strings.Repeat("z", 64), body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"time with a sign":     {"t=+1795356725," + sum, body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
		"time before the dawn": {"t=-1," + sum, body, now, []secret.Secret{"new"}, ErrSignatureMalformed},
	} {
		require.ErrorIs(t, Verify(test.header, test.body, test.now, 0, test.secrets...), test.want, name)
	}
}

func FuzzVerify(f *testing.F) {
	now := time.Unix(1795356725, 0)
	f.Add(Sign(now, []byte("b"), "s"), []byte("b"))
	f.Add("t=9223372036854775807,v1=", []byte{})
	f.Add("t=,v1=,,=", []byte{0})
	f.Fuzz(func(t *testing.T, header string, body []byte) {
		if Verify(header, body, now, 0, "s") == nil {
			require.Contains(t, header, strings.TrimPrefix(Sign(time.Unix(stampOf(t, header), 0), body, "s"), "t="))
		}
	})
}

func stampOf(t *testing.T, header string) int64 {
	t.Helper()
	stamp, _, err := parseSignature(header)
	require.NoError(t, err)
	return stamp
}
