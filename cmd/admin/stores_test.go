package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/jobs/tenants"
	"weir/secret"
)

func TestStores(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const planted = "planted+secret/key"
	key := secret.Key{1} // the sealer's of setup
	environ := []string{databaseEnv + "=" + b.url, keysEnv + "=" + base64.StdEncoding.EncodeToString(key[:]), "USER=ann"}
	set := func(stdin string, args ...string) result {
		return commandWith(t.Context(), strings.NewReader(stdin), environ, append([]string{"tenants", "stores", "set", "studio"}, args...)...)
	}
	r := set(planted+"\n", "main", "--endpoint", "https://s3.example.com", "--region", "eu-1", "--access-key", "AK", "--secret-key-file", "-", "--allow", "media/in,media/out", "--json")
	require.Zero(t, r.code, r.stderr)
	var list storeList
	require.NoError(t, json.Unmarshal([]byte(r.stdout), &list))
	require.Len(t, list.Stores, 1)
	require.Equal(t, []any{"main", "https://s3.example.com", "eu-1", true, true, true, "ann"},
		[]any{list.Stores[0].Name, list.Stores[0].Endpoint, list.Stores[0].Region, list.Stores[0].PathStyle, list.Stores[0].MayRead, list.Stores[0].MayWrite, list.Stores[0].SetBy})
	stores := &tenants.Stores{DB: b.pool, Sealer: b.jobs.Sealer}
	opened, err := stores.Open(t.Context(), "studio", "", "media", "in/a.mp4", tenants.Read)
	require.NoError(t, err)
	require.Equal(t, []string{"AK", planted}, []string{opened.AccessKey, string(opened.SecretKey)})

	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte("another"), 0o600))
	require.Zero(t, set("", "main", "--access-key", "AK2", "--secret-key-file", file, "--allow", "*", "--read-only", "--virtual-host").code)
	opened, err = stores.Open(t.Context(), "studio", "main", "any", "a", tenants.Read)
	require.NoError(t, err)
	require.Equal(t, []any{"AK2", "another", false, false}, []any{opened.AccessKey, string(opened.SecretKey), opened.PathStyle, opened.MayWrite})
	require.Zero(t, set("", "open", "--endpoint", "http://127.0.0.1:1", "--allow", "public").code)
	b.decode(t, &list, "tenants", "stores", "list", "studio")
	require.Len(t, list.Stores, 2)
	require.True(t, list.Stores[1].Anonymous)

	for _, test := range []struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		{"", []string{"main"}, exitUsage, "--allow is missing"},
		{"", []string{"main", "--allow", "media", "--access-key", "AK"}, exitUsage, "--secret-key-file one is missing"},
		{"", []string{"main", "--allow", "media", "--access-key", "AK", "--secret-key-file", "-"}, exitFailed, "holds 0 bytes"},
		{planted, []string{"main", "--allow", "media", "--access-key", "AK", "--secret-key-file", "/none"}, exitFailed, "no such file"},
		{planted + " " + planted, []string{"main", "--allow", "media", "--access-key", "AK", "--secret-key-file", "-"}, exitFailed, "a space"},
		{"", []string{"Main", "--allow", "media"}, exitFailed, "lower case"},
		{"", []string{"main", "--allow", "m"}, exitFailed, "neither BUCKET"},
		{"", []string{"main", "--allow", "media", "--endpoint", "https://AK:" + planted + "@host"}, exitFailed, "https://HOST"},
		{"", []string{"main", "--allow", "media", "--region", "a b"}, exitFailed, "region"},
		{"", []string{"main", "--allow", "media", "--read-only", "--write-only"}, exitUsage, "read-only"},
	} {
		r := set(test.stdin, test.args...)
		require.Equal(t, test.code, r.code, "%v: %s", test.args, r.stderr)
		require.Contains(t, r.stderr, test.says)
		require.NotContains(t, r.stderr, planted)
	}
	without := b.run(t, "tenants", "stores", "set", "studio", "main", "--allow", "media")
	require.Equal(t, exitFailed, without.code)
	require.Contains(t, without.stderr, keysEnv)

	b.ok(t, "tenants", "stores", "rm", "studio", "open")
	require.Contains(t, b.run(t, "tenants", "stores", "rm", "studio", "open").stderr, "no store")
	for _, printed := range []string{b.ok(t, "tenants", "stores", "list", "studio"), b.ok(t, "tenants", "stores", "list", "studio", "--json")} {
		require.NotContains(t, printed, "another")
		require.NotContains(t, printed, "AK2")
	}
}
