package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs/receivers"
	"weir/secret"
)

func TestTenantSecrets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
	environ := []string{databaseEnv + "=" + b.url, secretKeyEnv + "=" + key}
	add := func(stdin string, args ...string) (out, problem string, code int) {
		var stdout, stderr bytes.Buffer
		a := &admin{out: &stdout, environ: environ}
		defer a.close()
		root := a.root()
		root.SetArgs(append([]string{"tenants", "secret", "add", "studio"}, args...))
		root.SetIn(strings.NewReader(stdin))
		if err := root.ExecuteContext(t.Context()); err != nil {
			return "", err.Error(), exitFailed
		}
		return stdout.String(), stderr.String(), exitOK
	}
	keys, err := secret.ParseKeys(key)
	require.NoError(t, err)
	sealer, err := secret.NewSealer(keys...)
	require.NoError(t, err)
	signing := func() []secret.Secret {
		list, err := (&receivers.Secrets{DB: b.pool, Sealer: sealer}).Of(t.Context(), uuid.New(), "studio", nil)
		require.NoError(t, err)
		return list
	}

	made, _, code := add("")
	require.Equal(t, exitOK, code)
	first, _, _ := strings.Cut(made, "\n")
	require.Equal(t, []secret.Secret{secret.Secret(first)}, signing())

	_, problem, _ := add("short\n", "--stdin")
	require.Contains(t, problem, "16 to 256")
	require.NotContains(t, problem, "short\n")
	said, _, code := add("planted-secret-of-a-person\n", "--stdin")
	require.Equal(t, exitOK, code)
	require.NotContains(t, said, "planted")
	require.Equal(t, []secret.Secret{secret.Secret(first), "planted-secret-of-a-person"}, signing())
	_, problem, _ = add("")
	require.Contains(t, problem, "remove the older one")

	var list secretList
	b.decode(t, &list, "tenants", "secret", "list", "studio")
	require.Len(t, list.Secrets, 2)
	require.NotContains(t, b.ok(t, "tenants", "secret", "list", "studio", "--json"), "planted")
	require.Contains(t, b.ok(t, "tenants", "secret", "rm", "studio", list.Secrets[0].ID.String()), "signs no more")
	require.Equal(t, []secret.Secret{"planted-secret-of-a-person"}, signing())
	r := b.run(t, "tenants", "secret", "rm", "studio", list.Secrets[0].ID.String())
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "no such secret")
	for _, wrong := range [][]string{{"rm", "studio"}, {"rm", "studio", "7"}, {"list"}, {"list", "a b"}, {"add", ""}} {
		require.Equal(t, exitUsage, b.run(t, append([]string{"tenants", "secret"}, wrong...)...).code, wrong)
	}
	r = b.run(t, "tenants", "secret", "add", "studio")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, secretKeyEnv)
}
