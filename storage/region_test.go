package storage

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRegionOf(t *testing.T) {
	t.Parallel()
	for host, region := range map[string]string{
		"s3.amazonaws.com":                              "us-east-1",
		"s3.eu-west-1.amazonaws.com":                    "eu-west-1",
		"S3.EU-WEST-1.AMAZONAWS.COM:443":                "eu-west-1",
		"s3-eu-west-1.amazonaws.com":                    "eu-west-1",
		"s3.dualstack.ap-southeast-2.amazonaws.com":     "ap-southeast-2",
		"s3-fips.us-gov-west-1.amazonaws.com":           "us-gov-west-1",
		"s3.cn-north-1.amazonaws.com.cn":                "cn-north-1",
		"bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com": "eu-west-1",
		"s3.us-west-004.backblazeb2.com":                "us-west-004",
		"0123.r2.cloudflarestorage.com":                 "auto",
		"0123.eu.r2.cloudflarestorage.com":              "auto",
		"storage.googleapis.com":                        "auto",
		"storage.europe-west3.rep.googleapis.com":       "auto",
		"nyc3.digitaloceanspaces.com":                   "nyc3",
		"s3.wasabisys.com":                              "us-east-1",
		"s3.eu-central-1.wasabisys.com":                 "eu-central-1",
		"us-sea-1.linodeobjects.com":                    "us-sea-1",
		"ewr1.vultrobjects.com":                         "ewr1",
		"fsn1.your-objectstorage.com":                   "fsn1",
		"s3.fr-par.scw.cloud":                           "fr-par",
		"s3.gra.io.cloud.ovh.net":                       "gra",
		"s3.example.com":                                "",
		"s3.eu-west-1.example.com":                      "",
		"amazonaws.com":                                 "",
		"evilamazonaws.com":                             "",
		"s3.backblazeb2.com":                            "",
		"127.0.0.1:9000":                                "",
		"[::1]:9000":                                    "",
		"":                                              "",
	} {
		require.Equal(t, region, regionOf(host), host)
	}
}

func TestRegionalEndpoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ endpoint, region, want string }{
		{"https://s3.amazonaws.com", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"},
		{"https://s3.amazonaws.com", "us-east-1", "https://s3.amazonaws.com"},
		{"https://s3-us-west-2.amazonaws.com", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"},
		{"https://s3.us-west-2.amazonaws.com", "eu-west-1", "https://s3.eu-west-1.amazonaws.com"},
		{"https://s3.cn-north-1.amazonaws.com.cn", "cn-northwest-1", "https://s3.cn-northwest-1.amazonaws.com.cn"},
		{"https://x.vpce-1.s3.us-east-1.vpce.amazonaws.com", "eu-west-1", "https://x.vpce-1.s3.us-east-1.vpce.amazonaws.com"},
		{"http://127.0.0.1:9000", "eu-west-1", "http://127.0.0.1:9000"},
		{"https://s3.example.com", "eu-west-1", "https://s3.example.com"},
	} {
		require.Equal(t, test.want, regionalEndpoint(test.endpoint, test.region), test)
	}
}

// A region that is asked for is stronger than a host's name, and that than a setting,
// which for s3:// is about this very server.
func TestRegionFor(t *testing.T) {
	t.Parallel()
	const wasabi = "s3.eu-central-1.wasabisys.com"
	for _, test := range []struct{ setting, endpoint, location, want string }{
		{"", "", "s3://bucket/a", "us-east-1"},
		{"", "", "s3://bucket/a?region=eu-west-3", "eu-west-3"},
		{"eu-north-1", "", "s3://bucket/a", "eu-north-1"},
		{"", "https://" + wasabi, "s3://bucket/a", "eu-central-1"},
		{"eu-north-1", "https://" + wasabi, "s3://bucket/a", "eu-north-1"},
		{"eu-north-1", "", "s3+https://" + wasabi + "/bucket/a", "eu-central-1"},
		{"eu-north-1", "", "s3+https://" + wasabi + "/bucket/a?region=us-west-1", "us-west-1"},
		{"eu-north-1", "", "s3+https://s3.example.com/bucket/a", "eu-north-1"},
		{"", "", "s3+https://s3.example.com/bucket/a", "us-east-1"},
	} {
		client, err := New(&Config{Region: test.setting, Endpoint: test.endpoint})
		require.NoError(t, err)
		require.Equal(t, test.want, client.server(parsed(t, test.location), "", 0).region, test)
	}
}

// regionSigned is the region that a request is signed for.
func regionSigned(r *http.Request) string {
	_, scope, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	parts := strings.Split(scope, "/")
	if len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// The real server refuses another region than its own and names that; it, and servers
// that redirect as AWS does, are asked again, by every operation.
func TestRegionIsLearned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	type answer func(w http.ResponseWriter, r *http.Request, pass func())
	redirect := func(status int, inBody bool) answer {
		return func(w http.ResponseWriter, r *http.Request, _ func()) {
			if !inBody {
				w.Header().Set("X-Amz-Bucket-Region", awsRegion)
			}
			w.WriteHeader(status)
			if r.Method != http.MethodHead {
				_, _ = w.Write([]byte("<Error><Code>PermanentRedirect</Code><Region>" + awsRegion + "</Region></Error>"))
			}
		}
	}
	for name, refuse := range map[string]answer{
		"AuthorizationHeaderMalformed": func(_ http.ResponseWriter, _ *http.Request, pass func()) { pass() },
		"PermanentRedirect":            redirect(http.StatusMovedPermanently, false),
		"TemporaryRedirect":            redirect(http.StatusTemporaryRedirect, false),
		"only in the body":             redirect(http.StatusBadRequest, true),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var wrong atomic.Int32
			front := func() *Client {
				return b.front(t, &Config{Region: "eu-central-7"}, func(w http.ResponseWriter, r *http.Request, pass func()) {
					if regionSigned(r) != awsRegion {
						wrong.Add(1)
						refuse(w, r, pass)
						return
					}
					pass()
				})
			}
			path, content := b.file(t, partBytes+1)
			loc := b.at(t, t.Name())
			client := front()
			object, err := client.Upload(t.Context(), loc, path, UploadOptions{})
			require.NoError(t, err)
			require.EqualValues(t, 1, wrong.Swap(0), "one request")
			require.NoError(t, client.Verify(t.Context(), loc, object))
			require.Zero(t, wrong.Load(), "the region is remembered")

			target := b.target()
			_, err = front().Fetch(t.Context(), loc, target, FetchOptions{})
			require.NoError(t, err)
			requireSame(t, target, content)
			require.LessOrEqual(t, wrong.Swap(0), int32(2), "a HEAD, and a request whose answer has a body")
			require.NoError(t, front().Verify(t.Context(), loc, object))
			require.LessOrEqual(t, wrong.Swap(0), int32(3))
			require.NoError(t, front().TryWrite(t.Context(), loc.Folder()))
			_, err = front().AbortUploads(t.Context(), loc)
			require.NoError(t, err)
			require.NoError(t, front().Delete(t.Context(), loc))
			requireCode(t, b.client.Verify(t.Context(), loc, object), CodeObjectMissing)

			wrong.Store(0)
			asked := parsed(t, string(loc.Secret())+"?region="+awsRegion)
			_, err = front().Upload(t.Context(), asked, path, UploadOptions{})
			require.NoError(t, err)
			require.Zero(t, wrong.Load(), "a location may tell it")
		})
	}
}

func TestRegionIsNotLearned(t *testing.T) {
	t.Parallel()
	b := setup(t)
	path, _ := b.file(t, 10)
	for name, test := range map[string]struct {
		regions []string
		most    int32
	}{
		"none named":          {[]string{""}, 1},
		"no name of a region": {[]string{"evil.example/"}, 1},
		"the same":            {[]string{"eu-central-7"}, 1},
		"one after another":   {[]string{"a", "b"}, int32(mostAsked)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var all atomic.Int32
			client := b.front(t, &Config{Region: "eu-central-7"}, func(w http.ResponseWriter, _ *http.Request, _ func()) {
				region := test.regions[int(all.Add(1))%len(test.regions)]
				w.WriteHeader(http.StatusBadRequest)
				_, _ = w.Write([]byte("<Error><Code>AuthorizationHeaderMalformed</Code><Region>" + region + "</Region></Error>"))
			})
			_, err := client.Upload(t.Context(), b.at(t, "a"), path, UploadOptions{})
			requireCode(t, err, CodeS3Refused)
			require.Equal(t, test.most, all.Load())
		})
	}
}
