package checkup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db/dbtest"
	"weir/engine"
	"weir/internal/devstack"
	"weir/jobs/doctor"
	"weir/jobs/jobstest"
	"weir/jobs/tenants"
	"weir/media"
	"weir/mist"
	"weir/mist/broadcaster"
	"weir/secret"
	"weir/storage"
	"weir/storage/dial/dialtest"
	"weir/triggers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// healthy is a host all of whose things are real, and well.
func healthy(t *testing.T, b *jobstest.Bundle) *Host {
	t.Helper()
	bin := os.Getenv(devstack.BinDirVariable)
	stand, err := devstack.StartMistHost(t.Context(), &devstack.MistHostConfig{Dir: t.TempDir(), BinDir: bin})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	livepeer, err := devstack.StartBroadcaster(t.Context(), &devstack.BroadcasterConfig{Dir: t.TempDir(), BinDir: bin})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, livepeer.Close()) })
	client, err := mist.New(&mist.Config{URL: stand.API})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	engine := &mist.Engine{Client: client}
	url := listen(t, engine, b.Pool, "mist-1")
	objects, err := storage.New(&storage.Config{AllowHTTP: true, Guard: dialtest.Loopback(), MaxAttempts: 1})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	return &Host{
		DB: b.Pool, Mist: engine, Media: &media.Tools{}, Storage: objects, Sealer: b.Sealer, TriggerURL: url,
		Program:   func(ctx context.Context) (string, error) { return mist.CheckRuns(ctx, stand.BinDir) },
		Broadcast: broadcast, Spool: t.TempDir(), ShmDir: t.TempDir(), Broadcasters: []string{livepeer.URL},
	}
}

// listen starts what takes a host's triggers, and has Mist post them there.
func listen(t *testing.T, engine *mist.Engine, pool *pgxpool.Pool, host string) (url string) {
	t.Helper()
	listener, err := triggers.New(&triggers.Config{DB: pool, HostID: host, Spool: t.TempDir()})
	require.NoError(t, err)
	server := httptest.NewServer(listener)
	t.Cleanup(server.Close)
	url = server.URL + "/weir/triggers/mist-1"
	_, err = engine.Listen(t.Context(), url)
	require.NoError(t, err)
	return url
}

func broadcast(ctx context.Context, client *http.Client, address string) (string, error) {
	answer, err := broadcaster.Try(ctx, client, address)
	return fmt.Sprintf("%d frames", answer.Frames), err
}

func run(t *testing.T, h *Host, only string) []doctor.Finding {
	t.Helper()
	found, _ := doctor.Run(t.Context(), "mist-1", doctor.Order{Only: doctor.Only{only}}, h.Checks()...)
	require.NotEmpty(t, found)
	return found
}

// wrong is the only finding of a code, which is not well.
func wrong(t *testing.T, h *Host, code doctor.Code, verdict doctor.Verdict, evidence, mend string) {
	t.Helper()
	found := run(t, h, string(code))
	require.Len(t, found, 1)
	require.Equal(t, verdict, found[0].Verdict, found[0].Evidence)
	require.Contains(t, found[0].Evidence, evidence)
	require.Contains(t, found[0].Mend, mend)
}

// All that is there is well; and each thing that is not is found, with what mends it.
func TestCheckup(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	h := healthy(t, b)
	bucket := newStore(t, b, "acme", "media", nil)
	found, _ := doctor.Run(t.Context(), "mist-1", doctor.Order{}, h.Checks()...)
	codes := map[doctor.Code]bool{}
	for _, f := range found {
		require.Equal(t, doctor.OK, f.Verdict, "%s: %s", f.Code, f.Evidence)
		codes[f.Code] = true
	}
	require.Len(t, codes, 13, "all of a host's")
	require.Contains(t, found[len(found)-1].Evidence, "30 frames")
	require.Contains(t, fmt.Sprint(found), "acme/media "+bucket)

	away := *h
	client, err := mist.New(&mist.Config{URL: "http://" + dialtest.Nobody(t) + "/api2"})
	require.NoError(t, err)
	away.Mist = &mist.Engine{Client: client}
	wrong(t, &away, doctor.MistAPI, doctor.Fail, "refused", "start MistServer, or correct WEIR_MIST_API")
	wrong(t, &away, doctor.MistVersion, doctor.Unknown, "does not answer", "start MistServer")
	wrong(t, &away, doctor.MistTrigger, doctor.Unknown, "does not answer", "start MistServer")

	elsewhere := *h
	elsewhere.TriggerURL = strings.Replace(h.TriggerURL, "mist-1", "mist-2", 1)
	wrong(t, &elsewhere, doctor.MistTrigger, doctor.Fail, "Mist does not post LIVE_TRACK_LIST, PUSH_END", "restart weir-daemon")
	elsewhere.TriggerURL = "http://" + dialtest.Nobody(t) + "/weir/triggers/mist-1"
	wrong(t, &elsewhere, doctor.MistTrigger, doctor.Fail, "nobody of Weir listens", "start weir-daemon on this host")
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	elsewhere.TriggerURL = other.URL + "/weir/triggers/mist-1"
	wrong(t, &elsewhere, doctor.MistTrigger, doctor.Fail, "something else answers there", "free the address")

	poor := *h
	poor.Program = func(ctx context.Context) (string, error) { return mist.CheckRuns(ctx, t.TempDir()) }
	wrong(t, &poor, doctor.MistProgram, doctor.Fail, "MistProcLivepeer", "set WEIR_MIST_BIN_DIR")
	poor.Program = func(ctx context.Context) (string, error) {
		return mist.CheckRuns(ctx, script(t, "MistProcLivepeer", "echo other"))
	}
	wrong(t, &poor, doctor.MistProgram, doctor.Fail, "does not say what it is", "set WEIR_MIST_BIN_DIR")
	poor.Media = &media.Tools{FFmpeg: "ffmpeg-that-is-not-in-path"}
	wrong(t, &poor, doctor.MediaTools, doctor.Fail, "ffmpeg-that-is-not-in-path", "apt-get install ffmpeg")
	wrong(t, &poor, doctor.MediaCodecs, doctor.Unknown, "ffmpeg-that-is-not-in-path", "apt-get install ffmpeg")
	poor.Media = &media.Tools{FFmpeg: filepath.Join(script(t, "ffmpeg", `ffmpeg "$@" | grep -v zscale`), "ffmpeg")}
	wrong(t, &poor, doctor.MediaCodecs, doctor.Fail, "this ffmpeg has no filter zscale", "install an ffmpeg")

	full := *h
	full.SpoolReserve = 1 << 60
	wrong(t, &full, doctor.SpoolRoom, doctor.Fail, "the host takes no work", "free room on the spool's disk")
	full.Spool, full.SpoolReserve = "/proc", 0
	require.Equal(t, doctor.Fail, run(t, &full, "spool.room")[0].Verdict)
	full.Spool = filepath.Join(t.TempDir(), "none")
	wrong(t, &full, doctor.SpoolRoom, doctor.Fail, "no such file", "make the folder")
	full.ShmDir = "/proc" // which has no room at all
	wrong(t, &full, doctor.ShmRoom, doctor.Fail, "0 of 0 MiB free", "mount -o remount")
	full.ShmDir = full.Spool
	wrong(t, &full, doctor.ShmRoom, doctor.Fail, "no such file", "WEIR_SHM_DIR")
}

// What is posted to where Mist's triggers go arrives in these rows, as this host's, and
// leaves none behind; or it is said where it went instead.
func TestTriggersArrive(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	stand, err := devstack.StartMistHost(t.Context(), &devstack.MistHostConfig{Dir: t.TempDir(), BinDir: os.Getenv(devstack.BinDirVariable)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, stand.Close()) })
	client, err := mist.New(&mist.Config{URL: stand.API})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	engine := &mist.Engine{Client: client}
	h := &Host{DB: b.Pool, Mist: engine}
	left := func() (events int) {
		require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT count(*) FROM weir.mist_events").Scan(&events))
		return events
	}

	h.TriggerURL = listen(t, engine, b.Pool, "mist-1")
	found := run(t, h, string(doctor.MistTrigger))
	require.Equal(t, doctor.OK, found[0].Verdict, found[0].Evidence)
	require.Contains(t, found[0].Evidence, "one that was posted there was recorded")
	require.Zero(t, left())

	h.TriggerURL = listen(t, engine, b.Pool, "mist-2")
	wrong(t, h, doctor.MistTrigger, doctor.Fail, "arrived as host mist-2's", "WEIR_TRIGGER_LISTEN")
	require.Zero(t, left())
	h.TriggerURL = listen(t, engine, dbtest.New(t), "mist-1")
	wrong(t, h, doctor.MistTrigger, doctor.Fail, "is not in this database", "another weir-daemon listens there")

	closed := dbtest.New(t)
	h.TriggerURL = listen(t, engine, closed, "mist-1")
	closed.Close()
	wrong(t, h, doctor.MistTrigger, doctor.Fail, "was not taken: HTTP 503", "`trigger not recorded`")
}

func TestMistThatIsAnother(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		mist     *fakeMist
		code     doctor.Code
		verdict  doctor.Verdict
		evidence string
		mend     string
	}{
		{&fakeMist{version: "2.18"}, doctor.MistVersion, doctor.Warn, "it is 2.18", "MistServer 3"},
		{&fakeMist{version: "dev"}, doctor.MistVersion, doctor.Unknown, `"dev"`, "MistServer 3"},
		{&fakeMist{err: fmt.Errorf("%w: login", engine.ErrSettings)}, doctor.MistAPI, doctor.Fail, "login", "WEIR_MIST_PASSWORD"},
	} {
		wrong(t, &Host{Mist: test.mist}, test.code, test.verdict, test.evidence, test.mend)
	}
}

type fakeMist struct {
	version string
	err     error
}

func (f *fakeMist) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: f.version, IID: "i"}, f.err
}
func (*fakeMist) Lacks(context.Context, string) ([]string, error) {
	return nil, errors.New("not asked")
}

// A store with a wrong key, one that was sealed with another key, one that may only be
// read, one for any bucket: and no secret shows.
func TestStores(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	objects, err := storage.New(&storage.Config{AllowHTTP: true, Guard: dialtest.Loopback(), MaxAttempts: 1})
	require.NoError(t, err)
	t.Cleanup(objects.Close)
	h := &Host{DB: b.Pool, Storage: objects, Sealer: b.Sealer}
	none := run(t, h, "store.*")
	require.Len(t, none, 1)
	require.Equal(t, doctor.OK, none[0].Verdict)

	newStore(t, b, "acme", "wrong", func(s *tenants.Store) { s.SecretKey = "PLANTED-secret" })
	newStore(t, b, "acme", "gone", func(s *tenants.Store) { s.Allowed = []string{"no-such-bucket-at-all/prefix"} })
	newStore(t, b, "acme", "read", func(s *tenants.Store) { s.MayWrite = false })
	newStore(t, b, "acme", "away", func(s *tenants.Store) { s.Endpoint = "http://" + dialtest.Nobody(t) })
	newStore(t, b, "acme", "strange", nil)
	strange, err := secret.NewSealer(secret.Key(bytes.Repeat([]byte{9}, 32)))
	require.NoError(t, err)
	_, err = b.Pool.Exec(t.Context(), "UPDATE weir.stores SET keys_sealed = $1 WHERE name = 'strange'", strange.Seal([]byte("{}"), tenants.SealedFor("acme", "strange")))
	require.NoError(t, err)
	found := run(t, h, "store.*")
	of := func(name string) doctor.Finding {
		var last doctor.Finding
		for _, f := range found {
			if strings.HasPrefix(f.Subject, "acme/"+name) {
				last = f
			}
		}
		return last
	}
	require.NotContains(t, fmt.Sprint(found), "PLANTED")
	for name, want := range map[string]struct {
		code    doctor.Code
		verdict doctor.Verdict
		mend    string
	}{
		"wrong":   {doctor.StorePut, doctor.Fail, "check the access key and its secret"},
		"gone":    {doctor.StorePut, doctor.Fail, "create the bucket or correct its name"},
		"read":    {doctor.StoreGet, doctor.OK, ""},
		"away":    {doctor.StorePut, doctor.Fail, ""},
		"strange": {doctor.StoreKeys, doctor.Fail, "sealed with another WEIR_SECRET_KEY"},
	} {
		f := of(name)
		require.Equal(t, want.code, f.Code, name)
		require.Equal(t, want.verdict, f.Verdict, "%s: %s", name, f.Evidence)
		require.Contains(t, f.Mend, want.mend, name)
	}
}

// A store that allows any bucket is tried by one that its key sees; where it sees none, it is
// said why, and what to do.
func TestStoreOfAnyBucket(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for name, test := range map[string]struct {
		status   int
		buckets  string
		code     doctor.Code
		verdict  doctor.Verdict
		subject  string
		evidence string
	}{
		"some":    {http.StatusOK, "<Bucket><Name>films</Name></Bucket><Bucket><Name>more</Name></Bucket>", doctor.StoreDelete, doctor.OK, "acme/any * films", "done"},
		"none":    {http.StatusOK, "", doctor.StorePut, doctor.Unknown, "acme/any", "its key sees none"},
		"refused": {http.StatusForbidden, "", doctor.StorePut, doctor.Unknown, "acme/any", "a right of its own (s3:ListAllMyBuckets)"},
		"away":    {http.StatusServiceUnavailable, "", doctor.StorePut, doctor.Fail, "acme/any", ""},
	} {
		var tried []string
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path == "/":
				w.WriteHeader(test.status)
				_, _ = fmt.Fprintf(w, "<ListAllMyBucketsResult><Buckets>%s</Buckets></ListAllMyBucketsResult>", test.buckets)
			case r.Method == http.MethodGet:
				_, _ = w.Write([]byte("Weir looks whether it may write here. This object can be removed.\n"))
			}
			if r.URL.Path != "/" {
				tried = append(tried, r.Method+" "+strings.Split(r.URL.Path, "/")[1])
			}
		}))
		newStore(t, b, "acme", "any", func(s *tenants.Store) { s.Endpoint, s.Allowed = server.URL, []string{"*"} })
		objects, err := storage.New(&storage.Config{AllowHTTP: true, Guard: dialtest.Loopback(), MaxAttempts: 1})
		require.NoError(t, err)
		found := run(t, &Host{DB: b.Pool, Storage: objects, Sealer: b.Sealer}, "store.*")
		last := found[len(found)-1]
		require.Equal(t, []any{test.code, test.verdict, test.subject}, []any{last.Code, last.Verdict, last.Subject}, "%s: %s", name, last.Evidence)
		require.Contains(t, last.Evidence, test.evidence, name)
		if test.verdict == doctor.Unknown {
			require.Contains(t, last.Mend, "--allow '*,BUCKET'", name)
		}
		if name == "some" {
			require.Equal(t, []string{"PUT films", "GET films", "DELETE films"}, tried)
		} else {
			require.Empty(t, tried, name)
		}
		objects.Close()
		server.Close()
	}
}

// A key that lacks a right is told by the right.
func TestStoreRights(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	for _, test := range []struct {
		method  string
		code    doctor.Code
		verdict doctor.Verdict
	}{
		{http.MethodGet, doctor.StoreGet, doctor.Fail}, {http.MethodDelete, doctor.StoreDelete, doctor.Warn}, {http.MethodPut, doctor.StorePut, doctor.Fail},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case test.method:
				w.WriteHeader(http.StatusForbidden)
			case http.MethodGet:
				_, _ = w.Write([]byte("Weir looks whether it may write here. This object can be removed.\n"))
			}
		}))
		newStore(t, b, "acme", "media", func(s *tenants.Store) { s.Endpoint = server.URL })
		objects, err := storage.New(&storage.Config{AllowHTTP: true, Guard: dialtest.Loopback(), MaxAttempts: 1})
		require.NoError(t, err)
		found := run(t, &Host{DB: b.Pool, Storage: objects, Sealer: b.Sealer}, string(test.code))
		require.Equal(t, test.verdict, found[0].Verdict, "%s: %s", test.code, found[0].Evidence)
		objects.Close()
		server.Close()
	}
}

// A 200 proves nothing.
func TestBroadcasters(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer   http.HandlerFunc
		evidence string
	}{
		"nothing": {func(http.ResponseWriter, *http.Request) {}, "200 with no rendition"},
		"empty part": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/mixed; boundary=x")
			_, _ = w.Write([]byte("--x\r\nContent-Type: video/mp2t\r\n\r\n\r\n--x--\r\n"))
		}, "200 with no rendition"},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "multipart/mixed; boundary=x")
			_, _ = w.Write([]byte("--x\r\n\r\n" + strings.Repeat("g", 188) + "\r\n--x--\r\n"))
		}, "no frame in 188 bytes"},
		"itself": {func(w http.ResponseWriter, r *http.Request) {
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			w.Header().Set("Content-Type", "multipart/mixed; boundary=xyxyx")
			_, _ = w.Write([]byte("--xyxyx\r\n\r\n" + body.String() + "\r\n--xyxyx--\r\n"))
		}, "it is the segment itself"},
		"refusal": {func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "No sessions available", http.StatusServiceUnavailable)
		}, "HTTP 503: No sessions available"},
	} {
		server := httptest.NewServer(test.answer)
		found := run(t, &Host{Broadcast: broadcast, Broadcasters: []string{server.URL}}, "broadcaster.*")
		server.Close()
		require.Equal(t, doctor.Fail, found[0].Verdict, name)
		require.Contains(t, found[0].Evidence, test.evidence, name)
		require.Contains(t, found[0].Mend, "take it out of WEIR_BROADCASTERS", name)
	}
	away := run(t, &Host{Broadcast: broadcast, Broadcasters: []string{"http://user:PLANTED@" + dialtest.Nobody(t)}}, "broadcaster.*")
	require.Contains(t, away[0].Evidence, "no answer")
	require.NotContains(t, fmt.Sprint(away), "PLANTED")
	require.Equal(t, doctor.Fail, run(t, &Host{}, "broadcaster.*")[0].Verdict)
}

// Broadcasters of Livepeer's API are asked for there, as MistProcLivepeer does it, and each is
// sent a segment of a session; what the API does not give is told as its fault, without the token.
func TestBroadcastersOfAnAPI(t *testing.T) {
	t.Parallel()
	const token = secret.Secret("PLANTED-token")
	livepeer, err := devstack.StartBroadcaster(t.Context(), &devstack.BroadcasterConfig{Dir: t.TempDir(), BinDir: os.Getenv(devstack.BinDirVariable)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, livepeer.Close()) })
	to, err := url.Parse(livepeer.URL)
	require.NoError(t, err)
	var profiles []byte
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	list, opened := `[{"address":"`+server.URL+`"}]`, `{"id":"from-the-api"}`
	mux.HandleFunc("GET /api/broadcaster", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" { // it is asked without one
			http.Error(w, "no", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, list)
	})
	mux.HandleFunc("POST /api/stream", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+string(token) {
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		profiles, _ = io.ReadAll(r.Body)
		_, _ = io.WriteString(w, opened)
	})
	removed, removal := make(chan string, 1), http.StatusNoContent
	mux.HandleFunc("DELETE /api/stream/{id}", func(w http.ResponseWriter, r *http.Request) {
		removed <- r.Header.Get("Authorization") + " " + r.PathValue("id")
		w.WriteHeader(removal)
	})
	// A Broadcaster asks the API what to make of a stream; the stand-in is told.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		if r.In.Header.Get("Livepeer-Transcode-Configuration") == "" { // else it had not asked the API
			r.Out.Header.Set("Livepeer-Transcode-Configuration", string(profiles))
		} else {
			r.Out.Header.Set("Livepeer-Transcode-Configuration", "{}")
		}
	}}
	mux.Handle("/live/from-the-api/", proxy)

	host := func(token secret.Secret) *Host {
		return &Host{LivepeerAPI: server.URL + "/api", Livepeer: func(ctx context.Context, client *http.Client) (Session, error) {
			session, err := broadcaster.Ask(ctx, client, server.URL+"/api", token)
			if err != nil {
				return Session{}, err
			}
			return Session{
				Addresses: session.Addresses,
				Send: func(ctx context.Context, client *http.Client, address string) (string, error) {
					answer, err := session.Try(ctx, client, address)
					return fmt.Sprintf("%d frames", answer.Frames), err
				},
				End: func(ctx context.Context, client *http.Client) error {
					return session.End(ctx, client, server.URL+"/api", token)
				},
			}, nil
		}}
	}
	found := run(t, host(token), "broadcaster.*")
	require.Len(t, found, 1)
	require.Equal(t, doctor.OK, found[0].Verdict, found[0].Evidence)
	require.Contains(t, found[0].Evidence, "30 frames")
	require.Equal(t, server.Listener.Addr().String(), found[0].Subject)
	require.Equal(t, "Bearer "+string(token)+" from-the-api", <-removed, "nothing is left behind in the account")

	removal = http.StatusMethodNotAllowed
	found = run(t, host(token), "broadcaster.*")
	<-removed
	require.Len(t, found, 2)
	wrongs := slices.IndexFunc(found, func(f doctor.Finding) bool { return f.Verdict == doctor.Warn })
	require.GreaterOrEqual(t, wrongs, 0)
	require.Contains(t, found[wrongs].Evidence, "HTTP 405 for DELETE stream/from-the-api")
	require.Contains(t, found[wrongs].Mend, "weir-doctor")

	wrong(t, host("PLANTED-other"), doctor.BroadcasterSegment, doctor.Fail, "HTTP 401 for POST stream", "WEIR_LIVEPEER_TOKEN")
	require.NotContains(t, fmt.Sprint(run(t, host("PLANTED-other"), "broadcaster.*")), "PLANTED")
	opened = `{}`
	wrong(t, host(token), doctor.BroadcasterSegment, doctor.Fail, "it gives no session", "WEIR_LIVEPEER_API")
	opened = `tea`
	wrong(t, host(token), doctor.BroadcasterSegment, doctor.Fail, "POST stream is not what was expected", "WEIR_LIVEPEER_API")
	list = `[{"address":""}]`
	wrong(t, host(token), doctor.BroadcasterSegment, doctor.Fail, "it names no Broadcaster", "WEIR_BROADCASTERS")
	server.Close()
	wrong(t, host(token), doctor.BroadcasterSegment, doctor.Fail, "no answer", "WEIR_LIVEPEER_API")
}

// newStore gives a tenant a store on the real S3 server, with a bucket of its own.
func newStore(t *testing.T, b *jobstest.Bundle, tenant, name string, change func(*tenants.Store)) (bucket string) {
	t.Helper()
	server := &devstack.S3{
		Endpoint: os.Getenv("WEIR_TEST_S3_ENDPOINT"), Region: os.Getenv("WEIR_TEST_S3_REGION"),
		AccessKey: os.Getenv("WEIR_TEST_S3_ACCESS_KEY"), SecretKey: secret.Secret(os.Getenv("WEIR_TEST_S3_SECRET_KEY")),
	}
	require.NotEmpty(t, server.Endpoint, "no S3 server to test with: run `make test`")
	bucket = "weir-" + uuid.NewString()
	require.NoError(t, server.MakeBucket(t.Context(), bucket))
	store := &tenants.Store{
		Tenant: tenant, Name: name, Endpoint: server.Endpoint, Region: server.Region, PathStyle: true, AccessKey: server.AccessKey,
		SecretKey: server.SecretKey, Allowed: []string{bucket + "/some/prefix", bucket}, MayRead: true, MayWrite: true, SetBy: "test",
	}
	if change != nil {
		change(store)
	}
	require.NoError(t, (&tenants.Stores{DB: b.Pool, Sealer: b.Sealer}).Set(t.Context(), store))
	return bucket
}

// script is the folder of a program of that name.
func script(t *testing.T, name, text string) string {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755))
	return folder
}
