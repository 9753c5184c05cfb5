package storage

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"
)

// tree are files by their path, as a server has them.
type tree map[string][]byte

func (f tree) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	content, there := f[strings.TrimPrefix(r.URL.Path, "/")]
	if !there {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	serve(w, r, fmt.Sprintf("%q", fmt.Sprintf("%x", len(content))), content)
}

func lines(list ...string) []byte { return []byte("#EXTM3U\n" + strings.Join(list, "\n") + "\n") }

// recording is a media playlist of these segments.
func recording(segments ...string) []byte {
	list := []string{"#EXT-X-TARGETDURATION:4"}
	for _, s := range segments {
		list = append(list, "#EXTINF:4,", s)
	}
	return lines(append(list, "#EXT-X-ENDLIST")...)
}

// fetchList fetches a playlist from a server that has these files.
func fetchList(t *testing.T, files http.Handler, name string, opt FetchOptions) (Fetched, string, error) {
	t.Helper()
	at, client := source(t, &Config{}, files.ServeHTTP)
	loc, err := at.resolve(name)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "source")
	fetched, err := client.Fetch(t.Context(), loc, path, opt)
	entries, listErr := os.ReadDir(filepath.Dir(path))
	require.NoError(t, listErr)
	if err != nil {
		require.Empty(t, entries, "a failure leaves nothing")
	} else {
		require.Len(t, entries, 1)
	}
	return fetched, path, err
}

func TestFetchPlaylist(t *testing.T) {
	t.Parallel()
	one, two, three := randomBytes(70_000), randomBytes(3), randomBytes(5000)
	all := bytes.Join([][]byte{one, two, three}, nil)
	many, names := tree{}, []string{}
	var whole []byte
	for i := range 40 {
		content := randomBytes(1000 + i)
		name := fmt.Sprintf("%d.ts", i)
		names, whole = append(names, name), append(whole, content...)
		many["many/"+name] = content
	}
	many["many/index.m3u8"] = recording(names...)
	for name, test := range map[string]struct {
		files tree
		at    string
		want  []byte
	}{
		"media":      {tree{"r/index.m3u8": recording("1.ts", "2.ts", "sub/3.ts"), "r/1.ts": one, "r/2.ts": two, "r/sub/3.ts": three}, "r/index.m3u8", all},
		"upper case": {tree{"R.M3U8": recording("1.ts"), "1.ts": one}, "R.M3U8", one},
		"master": {tree{
			"m.m3u8":     lines("#EXT-X-STREAM-INF:BANDWIDTH=1,RESOLUTION=2x2", "low/i.m3u8", "#EXT-X-STREAM-INF:BANDWIDTH=3,RESOLUTION=4x4", "high/i.m3u8"),
			"low/i.m3u8": recording("x.ts"), "high/i.m3u8": recording("../1.ts", "/2.ts", "./3.ts"), "1.ts": one, "2.ts": two, "high/3.ts": three,
		}, "m.m3u8", all},
		"ranges": {tree{"i.m3u8": lines("#EXTINF:1,", "#EXT-X-BYTERANGE:70000@0", "a.ts", "#EXTINF:1,", "#EXT-X-BYTERANGE:3", "a.ts", "#EXTINF:1,", "b.ts", "#EXT-X-ENDLIST"), "a.ts": all, "b.ts": three}, "i.m3u8", all},
		"fragmented": {tree{
			"i.m3u8": lines(`#EXT-X-MAP:URI="a.mp4",BYTERANGE="3@70000"`, "#EXTINF:1,", "#EXT-X-BYTERANGE:70000@0", "a.mp4", `#EXT-X-MAP:URI="same.mp4"`, "#EXTINF:1,", "c.m4s", "#EXT-X-ENDLIST"),
			"a.mp4":  all, "same.mp4": two, "c.m4s": three,
		}, "i.m3u8", bytes.Join([][]byte{two, one, three}, nil)},
		"one segment many times": {tree{"i.m3u8": recording("1.ts", "2.ts", "1.ts"), "1.ts": one, "2.ts": two}, "i.m3u8", bytes.Join([][]byte{one, two, one}, nil)},
		"many":                   {many, "many/index.m3u8", whole},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var last atomic.Int64
			fetched, path, err := fetchList(t, test.files, test.at, FetchOptions{OnProgress: func(done, total int64) {
				require.Greater(t, done, last.Load())
				require.Equal(t, int64(-1), total)
				last.Store(done)
			}})
			require.NoError(t, err)
			requireSame(t, path, test.want)
			require.Equal(t, int64(len(test.want)), fetched.Bytes)
			require.Equal(t, fetched.Bytes, last.Load())
			require.True(t, strings.HasPrefix(fetched.Identity, "playlist sha256:"), fetched.Identity)
		})
	}
}

// TestPlaylistIdentity: another segment is another source, another address of it is not.
func TestPlaylistIdentity(t *testing.T) {
	t.Parallel()
	identity := func(files tree) string {
		fetched, _, err := fetchList(t, files, "i.m3u8", FetchOptions{})
		require.NoError(t, err)
		return fetched.Identity
	}
	one, two := randomBytes(1000), randomBytes(2000)
	was := identity(tree{"i.m3u8": recording("1.ts", "2.ts"), "1.ts": one, "2.ts": two})
	require.Equal(t, was, identity(tree{"i.m3u8": recording("a/1.ts?signature=1", "2.ts"), "a/1.ts": one, "2.ts": two}))
	require.NotEqual(t, was, identity(tree{"i.m3u8": recording("1.ts", "2.ts"), "1.ts": one, "2.ts": append(two, 1)}))
	require.NotEqual(t, was, identity(tree{"i.m3u8": recording("2.ts", "1.ts"), "1.ts": one, "2.ts": two}))
	require.NotEqual(t, was, identity(tree{"i.m3u8": recording("1.ts"), "1.ts": one, "2.ts": two}))
}

// TestPlaylistRefused: each says what it is about, and leaves nothing.
func TestPlaylistRefused(t *testing.T) {
	t.Parallel()
	segment := randomBytes(1000)
	with := func(list []byte) tree { return tree{"i.m3u8": list, "1.ts": segment, "2.ts": segment} }
	for name, test := range map[string]struct {
		files tree
		code  Code
		says  string
	}{
		"missing playlist":  {tree{}, CodeObjectMissing, "404"},
		"no playlist":       {with([]byte("<html>")), CodePlaylistUnreadable, "#EXTM3U"},
		"empty":             {with(nil), CodePlaylistUnreadable, "empty"},
		"live":              {with(lines("#EXTINF:4,", "1.ts")), CodePlaylistLive, "ENDLIST"},
		"encrypted":         {with(lines(`#EXT-X-KEY:METHOD=AES-128,URI="key"`, "#EXTINF:4,", "1.ts", "#EXT-X-ENDLIST")), CodeSourceEncrypted, "encrypted"},
		"missing segment":   {with(recording("1.ts", "2.ts", "sub/gone.ts", "2.ts")), CodeObjectMissing, "segment 3 of 4 (gone.ts): status 404"},
		"gap":               {with(lines("#EXTINF:4,", "1.ts", "#EXT-X-GAP", "#EXTINF:4,", "2.ts", "#EXT-X-ENDLIST")), CodeObjectMissing, "segment 2 of 2"},
		"missing header":    {with(lines(`#EXT-X-MAP:URI="init.mp4"`, "#EXTINF:4,", "1.ts", "#EXT-X-ENDLIST")), CodeObjectMissing, "the header (#EXT-X-MAP) of segment 1 of 1 (init.mp4)"},
		"several headers":   {with(lines(`#EXT-X-MAP:URI="1.ts",BYTERANGE="10@0"`, "#EXTINF:4,", "1.ts", `#EXT-X-MAP:URI="2.ts",BYTERANGE="10@10"`, "#EXTINF:4,", "2.ts", "#EXT-X-ENDLIST")), CodePlaylistUnsupported, "another one than the first"},
		"new clock":         {with(lines(`#EXT-X-MAP:URI="1.ts"`, "#EXTINF:4,", "1.ts", "#EXT-X-DISCONTINUITY", "#EXTINF:4,", "2.ts", "#EXT-X-ENDLIST")), CodePlaylistUnsupported, "DISCONTINUITY"},
		"two containers":    {with(lines("#EXTINF:4,", "1.ts", `#EXT-X-MAP:URI="1.ts"`, "#EXTINF:4,", "2.ts", "#EXT-X-ENDLIST")), CodePlaylistUnsupported, "another container"},
		"range beyond":      {with(lines("#EXTINF:4,", "#EXT-X-BYTERANGE:900@101", "1.ts", "#EXT-X-ENDLIST")), CodePlaylistUnreadable, "bytes up to 1001 are named, it has 1000"},
		"file":              {with(recording("file:///etc/passwd")), CodePlaylistUnsupported, "segment 1 of 1: its address is neither relative nor http(s)"},
		"S3":                {with(recording("1.ts", "s3://media/secret.ts")), CodePlaylistUnsupported, "segment 2 of 2: its address is neither"},
		"S3 with keys":      {with(recording("s3+http://KEY:SECRET@h/media/x.ts")), CodePlaylistUnsupported, "neither relative"},
		"concat":            {with(recording("concat:1.ts|2.ts")), CodePlaylistUnsupported, "neither relative"},
		"data":              {with(recording("data:video/mp2t;base64,AAAA")), CodePlaylistUnsupported, "neither relative"},
		"unreadable":        {with(recording("http://[::1/x")), CodePlaylistUnsupported, "can't be read"},
		"variant elsewhere": {with(lines("#EXT-X-STREAM-INF:BANDWIDTH=1", "file:///i.m3u8")), CodePlaylistUnsupported, "best variant"},
		"master in master":  {with(lines("#EXT-X-STREAM-INF:BANDWIDTH=1", "i.m3u8")), CodePlaylistUnreadable, "variants of its own"},
		"sound apart":       {with(lines(`#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",URI="a.m3u8"`, `#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="a"`, "i.m3u8")), CodePlaylistUnsupported, "sound or its picture"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := fetchList(t, test.files, "i.m3u8", FetchOptions{})
			var failed *Error
			require.ErrorAs(t, err, &failed)
			require.Equal(t, test.code, failed.Code, err)
			require.Contains(t, failed.FailureText(), test.says)
			require.NotContains(t, err.Error(), "SECRET")
			require.NotContains(t, err.Error(), plantedQuery)
		})
	}
	t.Run("too large together", func(t *testing.T) {
		t.Parallel()
		_, _, err := fetchList(t, with(recording("1.ts", "2.ts")), "i.m3u8", FetchOptions{MaxBytes: 1999})
		requireCode(t, err, CodeSourceTooLarge)
	})
	t.Run("http in a playlist without it", func(t *testing.T) {
		t.Parallel()
		loc, err := parsed(t, "https://h/i.m3u8").resolve("http://127.0.0.1:4242/api2")
		require.NoError(t, err)
		client, err := New(&Config{})
		require.NoError(t, err)
		require.ErrorContains(t, client.CheckSource(loc), "http:// is not allowed")
	})
}

// TestPlaylistRedirected: what a playlist names lies beside where it came from in the end.
func TestPlaylistRedirected(t *testing.T) {
	t.Parallel()
	segment := randomBytes(1000)
	files := tree{"there/i.m3u8": recording("1.ts"), "there/1.ts": segment}
	_, path, err := fetchList(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/here/i.m3u8" {
			http.Redirect(w, r, "/there/i.m3u8", http.StatusFound)
			return
		}
		files.ServeHTTP(w, r)
	}), "here/i.m3u8", FetchOptions{})
	require.NoError(t, err)
	requireSame(t, path, segment)
}

// TestPlaylistInS3: with the same keys, and in the same bucket alone.
func TestPlaylistInS3(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, one := b.stored(t, "in/r 1/seg 1.ts", 2*partBytes)
	_, two := b.stored(t, "in/2.ts", 10)
	put := func(content []byte) Location {
		key := "in/r 1/index.m3u8"
		_, err := b.sdk.PutObject(b.ctx, &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: bytes.NewReader(content)})
		require.NoError(t, err)
		return b.at(t, key)
	}
	path := b.target()
	_, err := b.client.Fetch(b.ctx, put(recording("seg%201.ts", "../2.ts?x=1", "/"+b.bucket+"/in/2.ts")), path, FetchOptions{})
	require.NoError(t, err)
	requireSame(t, path, bytes.Join([][]byte{one, two, two}, nil))
	for _, elsewhere := range []string{"/other-bucket/x.ts", "//host/bucket/x.ts", "s3://" + b.bucket + "/in/2.ts"} {
		_, err := b.client.Fetch(b.ctx, put(recording(elsewhere)), path, FetchOptions{})
		requireCode(t, err, CodePlaylistUnsupported)
	}
	_, err = b.client.Fetch(b.ctx, put(recording("../../../../2.ts")), path, FetchOptions{})
	requireCode(t, err, CodeObjectMissing)
}
