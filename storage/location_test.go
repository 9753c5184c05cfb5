package storage

import (
	"strings"
	"testing"

	"weir/secret"

	"github.com/stretchr/testify/require"
)

func TestParseLocation(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, raw              string
		prints, secret         string
		bucket, key            string
		access, password, base string
		region                 string
	}{
		{
			name: "s3", raw: "s3://media/a/b%20c.mp4",
			prints: "s3://media/a/b%20c.mp4", secret: "s3://media/a/b%20c.mp4",
			bucket: "media", key: "a/b c.mp4",
		},
		{
			name: "bucket only", raw: "s3://media", prints: "s3://media", secret: "s3://media", bucket: "media",
		},
		{
			name: "in a store", raw: "s3://main-1@media/a@b", prints: "s3://media/a%40b", secret: "s3://main-1@media/a%40b",
			bucket: "media", key: "a@b",
		},
		{
			name: "encoded credentials", raw: "s3+https://AKIAKEY:se%2Fcr%2Bet%3D@s3.example.com/media/a.mp4",
			prints: "s3+https://s3.example.com/media/a.mp4",
			secret: "s3+https://AKIAKEY:se%2Fcr+et=@s3.example.com/media/a.mp4",
			bucket: "media", key: "a.mp4", access: "AKIAKEY", password: "se/cr+et=", base: "https://s3.example.com",
		},
		{
			name: "plain credentials", raw: "s3+http://AKIAKEY:se/cr+et=/@127.0.0.1:9000/media/dir/a.mp4",
			prints: "s3+http://127.0.0.1:9000/media/dir/a.mp4",
			secret: "s3+http://AKIAKEY:se%2Fcr+et=%2F@127.0.0.1:9000/media/dir/a.mp4",
			bucket: "media", key: "dir/a.mp4", access: "AKIAKEY", password: "se/cr+et=/", base: "http://127.0.0.1:9000",
		},
		{
			name: "at in the key", raw: "s3+https://K:S@host/media/a@b",
			prints: "s3+https://host/media/a%40b", secret: "s3+https://K:S@host/media/a%40b",
			bucket: "media", key: "a@b", access: "K", password: "S", base: "https://host",
		},
		{
			name: "region", raw: "s3+https://K:S?S@host/media/a?region=eu-central-1",
			prints: "s3+https://host/media/a", secret: "s3+https://K:S%3FS@host/media/a?region=eu-central-1",
			bucket: "media", key: "a", access: "K", password: "S?S", base: "https://host", region: "eu-central-1",
		},
		{
			name: "region of a bucket", raw: "s3://media?region=RegionOne",
			prints: "s3://media", secret: "s3://media?region=RegionOne", bucket: "media", region: "RegionOne",
		},
		{
			name: "anonymous", raw: "S3+HTTPS://[::1]:9000/media/a",
			prints: "s3+https://[::1]:9000/media/a", secret: "s3+https://[::1]:9000/media/a",
			bucket: "media", key: "a", base: "https://[::1]:9000",
		},
		{
			name: "presigned", raw: "https://bucket.example.com/a%2Fb.mp4?X-Amz-Signature=0123&x=1#top",
			prints: "https://bucket.example.com/a%2Fb.mp4",
			secret: "https://bucket.example.com/a%2Fb.mp4?X-Amz-Signature=0123&x=1",
		},
		{
			name: "basic auth", raw: "http://user:pass@example.com:8080",
			prints: "http://example.com:8080", secret: "http://user:pass@example.com:8080",
			access: "user", password: "pass",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			loc, err := ParseLocation(test.raw)
			require.NoError(t, err)
			require.Equal(t, test.prints, loc.String())
			require.Equal(t, test.secret, string(loc.Secret()))
			require.Equal(t, test.bucket, loc.Bucket())
			require.Equal(t, test.key, loc.Key())
			require.Equal(t, test.bucket != "", loc.IsS3())
			access, password, _ := loc.hidden.credentials()
			require.Equal(t, test.access, access)
			require.Equal(t, test.password, password)
			require.Equal(t, test.base, loc.endpoint())
			require.Equal(t, test.region, loc.region)
		})
	}
}

func TestParseLocationRefuses(t *testing.T) {
	t.Parallel()
	const secret = "hunter2hunter2"
	tests := []struct{ name, raw, says string }{
		{"empty", "", "no scheme"},
		{"path", "/etc/" + secret, "no scheme"},
		{"file", "file:///etc/" + secret, "scheme is none of"},
		{"ftp", "ftp://u:" + secret + "@h/x", "scheme is none of"},
		{"space", "s3://media/a " + secret, "space or a control character"},
		{"newline", "https://h/\n" + secret, "space or a control character"},
		{"long", "s3://media/" + strings.Repeat(secret, 1000), "longer than"},
		{"long key", "s3://media/" + strings.Repeat("k", maxKeyBytes+1), "longer than"},
		{"no bucket", "s3+https://K:" + secret + "@host", "names no bucket"},
		{"bad bucket", "s3+https://K:" + secret + "@host/a%20b/c", "bucket is no valid name"},
		{"credentials without endpoint", "s3://K:" + secret + "@media/a", "s3:// has none"},
		{"an access key for a store", "s3://AKIA" + strings.ToUpper(secret) + "@media/a", "no store's name"},
		{"no secret", "s3+https://" + secret + "@host/media/a", "not of the form KEY:SECRET"},
		{"empty secret", "s3+https://" + secret + ":@host/media/a", "not of the form KEY:SECRET"},
		{"bad escape", "s3+https://K:%zz" + secret + "@host/media/a", "not percent-encoded"},
		{"secret looks like a port", "s3+https://K:12/" + secret + "@host/media/a", "%2F"},
		{"bad host", "s3+https://K:S@ho" + secret + "!st/media/a", "no valid host"},
		{"bad port", "s3+https://K:S@host:99999/media/" + secret, "port"},
		{"query", "s3+https://K:S@host/media/a?" + secret, "no query"},
		{"another query", "s3+https://K:S@host/media/a?region=x&" + secret, "region"},
		{"empty region", "s3://media/a?region=", "region"},
		{"a region that is a place", "s3://media/a?region=" + secret + ".example/", "region"},
		{"fragment", "s3://media/a#" + secret, "no fragment"},
		{"dots", "s3://media/a/../" + secret, `".."`},
		{"control in key", "s3://media/a%00" + secret, "control character"},
		{"web without host", "https:///" + secret, "no valid host"},
		{"web with a broken port", "https://u:" + secret + "/x@host/a", "no valid URL"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := ParseLocation(test.raw)
			requireCode(t, err, CodeLocationInvalid)
			require.ErrorContains(t, err, test.says)
			requireHidden(t, err, secret)
		})
	}
}

func TestLocationJoin(t *testing.T) {
	t.Parallel()
	tests := []struct{ base, want string }{
		{"s3://media", "s3://media/a%20b/c.mp4"},
		{"s3://media/", "s3://media/a%20b/c.mp4"},
		{"s3://media/out/", "s3://media/out/a%20b/c.mp4"},
		{"s3+https://host/media/out", "s3+https://host/media/out/a%20b/c.mp4"},
		{"https://host/out", "https://host/out"},
	}
	for _, test := range tests {
		base := parsed(t, test.base)
		require.Equal(t, test.want, base.Join("a b", "/c.mp4").String())
		require.Equal(t, parsed(t, test.base).String(), base.String(), "the base stays")
	}
}

func TestLocationFolder(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"s3://media/in/a%20b/c.mp4":                    "s3://media/in/a%20b",
		"s3://media/c.mp4":                             "s3://media",
		"s3://media":                                   "s3://media",
		"s3+https://K:S@host/media/in/c?region=nyc3":   "s3+https://K:S@host/media/in?region=nyc3",
		"s3+https://K:S@host/media/in/c%3F/d?region=a": "s3+https://K:S@host/media/in/c%3F?region=a",
		"https://host/in/c.mp4?x=1":                    "https://host/in/c.mp4?x=1",
	} {
		require.Equal(t, want, string(parsed(t, raw).Folder().Secret()))
	}
}

func TestLocationHidesSecrets(t *testing.T) {
	t.Parallel()
	type row struct {
		Source Location
		output Location
	}
	loc := parsed(t, "s3+https://AKIAPLANTED:planted/secret+=@host/media/a")
	web := parsed(t, "https://user:AKIAPLANTED@host/a?sig=planted-secret")
	secrets := []string{"AKIAPLANTED", "planted/secret", "planted-secret"}
	for _, v := range []any{loc, &loc, web, row{Source: loc, output: web}, &row{Source: web, output: loc}} {
		requireClosed(t, v, secrets...)
	}
	for _, v := range []any{loc.Secret(), secret.Key([]byte("AKIAPLANTEDAKIAPLANTEDAKIAPLANTE"))} {
		requireHidden(t, v, secrets...)
	}
	require.Contains(t, shown(loc), "s3+https://host/media/a")
	require.Empty(t, Location{}.String())
	require.Empty(t, string(Location{}.Secret()))
}

func FuzzParseLocation(f *testing.F) {
	for _, seed := range []string{
		"s3://bucket/key", "s3+https://KEY:SECRET@host/bucket/key", "s3+http://KEY:SE/C+R=@127.0.0.1:9000/bucket/a/b",
		"https://host/path?X-Amz-Signature=1", "https://u:p@host", "s3+https://[::1]:1/abc/%41%2F%3f", "s3://abc//x//",
		"s3+https://[::1]:1/abc/%40%2F%3f", "s3+https://K:S@host/bucket/a?region=eu-central-1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		loc, err := ParseLocation(raw)
		if err != nil {
			requireCode(t, err, CodeLocationInvalid)
			return
		}
		again, err := ParseLocation(string(loc.Secret()))
		require.NoError(t, err, "its own form parses")
		require.Equal(t, string(loc.Secret()), string(again.Secret()))
		require.Equal(t, loc.String(), again.String())
		require.Equal(t, loc.Key(), again.Key())
		require.Equal(t, loc.region, again.region)
		if loc.IsS3() {
			_, secret, ok := loc.hidden.credentials()
			_, secretAgain, okAgain := again.hidden.credentials()
			require.Equal(t, ok, okAgain)
			require.Equal(t, secret, secretAgain)
		}
		// What is printed leads to the same place without the secrets.
		printed, err := ParseLocation(loc.String())
		if err == nil {
			_, _, ok := printed.hidden.credentials()
			require.False(t, ok, "credentials are printed")
		}
	})
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 0-9/10")
	f.Add("bytes */0")
	f.Add("bytes 5-1/2")
	f.Fuzz(func(t *testing.T, header string) {
		first, last, total, err := contentRange(header)
		if err != nil {
			return
		}
		require.True(t, 0 <= first && first <= last && last < total, "%d-%d/%d", first, last, total)
	})
}
