package e2e

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
	"weir/mist"
)

// secrets are what nobody may find, by what they are.
type secrets map[string]string

// plant makes a secret that is found nowhere by chance.
func (s secrets) plant(what string) string {
	s[what] = "Planted" + rand.Text()
	return s[what]
}

// in lists the secrets that a text shows, plainly or encoded.
func (s secrets) in(text string) (found []string) {
	for what, secret := range s {
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
			base64.StdEncoding.EncodeToString([]byte(secret)), base64.RawURLEncoding.EncodeToString([]byte(secret)),
		} {
			if strings.Contains(text, form) {
				found = append(found, what)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// check fails when a text shows a secret.
func (s secrets) check(t *testing.T, where, text string) {
	t.Helper()
	require.Empty(t, s.in(text), "%s shows secrets", where)
}

// TestSecretsShowNowhere plants secrets wherever a request or a setting takes one,
// runs into success and into failures with the logs at debug level, and then looks
// for them in all that somebody may come to see.
func TestSecretsShowNowhere(t *testing.T) {
	t.Parallel()
	planted := secrets{}
	b := setupOwn(t, func(cfg *devstack.Config) {
		cfg.Settings = map[string]string{
			"WEIR_LOG_LEVEL": "debug", "WEIR_SOURCE_HTTP": "true",
			"WEIR_CALLBACK_SECRET": planted.plant("callback secret"), "WEIR_CALLBACK_TOKEN": planted.plant("callback token"),
			"WEIR_LIVEPEER_TOKEN": planted.plant("Livepeer token of the daemon"),
		}
	})
	planted.plantStack(t, b)
	gateway := startGateway(t)
	planted["Livepeer token of the request"] = gateway.token
	// It stands still in the middle, so that there is time to look.
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: secondSegment}))
	source, facts := b.source(t, long())

	request := func(source string) *request {
		req := b.request(t, "")
		req.Source.URL, req.CallbackURL, req.Livepeer = source, b.secretCallback(t, planted), gateway.livepeer()
		return req
	}
	watch := watchProcesses(t, b, planted)
	good := b.submit(t, request(string(source)))
	b.awaitTranscode(t, good, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" })
	planted.checkSpool(t, b.Daemons[0].Spool)
	planted.checkTables(t, b)
	require.NoError(t, gateway.SetFaults(calm()))
	b.succeeds(t, good, facts)
	ids := []string{good, b.submitOldForm(t, string(source), b.secretCallback(t, planted), planted.plant("Livepeer token of the old form"), gateway)}
	for _, source := range b.hopelessSources(t, planted) {
		ids = append(ids, b.submit(t, request(source)))
	}
	noWay := request(string(source))
	noWay.Output.URL = strings.Replace(string(b.object(t, "out")), string(b.S3.SecretKey), planted.plant("wrong secret of the output"), 1)
	ids = append(ids, b.submit(t, noWay))
	for _, id := range ids[1:] {
		// The first attempt tells as much as the last.
		b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.Error != nil })
	}
	unheard := request(string(b.missing(t)))
	unheard.CallbackURL = "http://user:" + planted.plant("password of an unheard callback") + "@127.0.0.1:1/hook?token=" + planted.plant("token of an unheard callback")
	id := b.submit(t, unheard)
	b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool {
		return transcode.Callback != nil && transcode.Callback.Attempts > 0
	})
	ids = append(ids, id)
	watch()

	planted.checkAnswers(t, b, ids)
	planted.checkRefusals(t, b)
	planted.checkTables(t, b)
	planted.checkSpool(t, b.Daemons[0].Spool)
	log, err := os.ReadFile(b.Daemons[0].Log)
	require.NoError(t, err)
	require.Contains(t, string(log), "DEBUG", "the log is at debug level")
	planted.check(t, "the daemon's log", string(log))
}

// plantStack adds the secrets that the stack has made for itself.
func (s secrets) plantStack(t *testing.T, b *testBundle) {
	t.Helper()
	database, err := url.Parse(string(b.Database))
	require.NoError(t, err)
	password, set := database.User.Password()
	require.True(t, set)
	key := b.Settings()["WEIR_SECRET_KEY"]
	raw, err := base64.StdEncoding.DecodeString(key)
	require.NoError(t, err)
	s["password of the database"], s["key as it is given"], s["key"] = password, key, string(raw)
	s["S3 access key"], s["S3 secret key"] = b.S3.AccessKey, string(b.S3.SecretKey)
	s["API token"] = string(b.API.Token)
}

// secretCallback is an address of the receiver with a password and a token in it.
func (b *testBundle) secretCallback(t *testing.T, planted secrets) string {
	t.Helper()
	u, err := url.Parse(b.receiver.URL + b.prefix)
	require.NoError(t, err)
	n := strconv.Itoa(len(planted))
	u.User = url.UserPassword("user", planted.plant("password of callback "+n))
	u.RawQuery = url.Values{"token": {planted.plant("token of callback " + n)}}.Encode()
	return u.String()
}

// hopelessSources fail to be fetched, each in another way.
func (b *testBundle) hopelessSources(t *testing.T, planted secrets) []string {
	t.Helper()
	missing := string(b.missing(t))
	_, host, _ := strings.Cut(missing, "@")
	web := strings.TrimPrefix(b.S3.Endpoint, "http://")
	return []string{
		missing,
		strings.Replace(missing, string(b.S3.SecretKey), planted.plant("wrong secret"), 1),
		"s3+http://" + planted.plant("wrong key") + ":" + planted.plant("secret of a wrong key") + "@" + host,
		"s3+http://" + planted.plant("key without a server") + ":" + planted.plant("secret without a server") + "@127.0.0.1:1/bucket/source.mp4",
		"http://user:" + planted.plant("password of a web source") + "@" + web + "/none/source.mp4?X-Amz-Signature=" + planted.plant("signature of a web source"),
		"http://127.0.0.1:1/source.mp4?X-Amz-Signature=" + planted.plant("signature without a server"),
	}
}

func (b *testBundle) submitOldForm(t *testing.T, source, callback, token string, gateway *gateway) string {
	t.Helper()
	// The gateway does not know the token: this fails.
	answer, err := b.API.Do(b.ctx, http.MethodPost, "/api/transcode/file", map[string]any{
		"source_location": source, "callback_url": callback, "accessToken": token, "transcodeAPIUrl": gateway.livepeer().APIURL,
		"manifestID": "m", "verificationFreq": 1, "profiles": []devstack.Profile{sized("small", 160, 96)},
	})
	require.NoError(t, err)
	_, id, _ := strings.Cut(string(answer), `"request_id":"`)
	id, _, _ = strings.Cut(id, `"`)
	return id
}

// checkTables looks at every row of every table and view, whole, as text. What is
// binary shows in hex.
func (s secrets) checkTables(t *testing.T, b *testBundle) {
	t.Helper()
	tables := b.lines(t, `SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')`)
	require.Contains(t, tables, "weir.river_job")
	require.Contains(t, tables, "weir.transcodes")
	for _, table := range tables {
		for _, row := range b.lines(t, "SELECT t::text FROM "+table+" t") {
			s.check(t, "table "+table, row)
		}
	}
}

// checkAnswers looks at what the API, an operator and Studio are told.
func (s secrets) checkAnswers(t *testing.T, b *testBundle, ids []string) {
	t.Helper()
	paths := []string{"/v1/transcodes", "/v1/transcodes?state=failed", "/openapi.json", "/readyz"}
	commands := [][]string{{"transcodes", "list"}, {"callbacks", "list"}, {"triggers", "list"}, {"hosts", "list"}, {"db", "status"}}
	for _, id := range ids {
		paths = append(paths, "/v1/transcodes/"+id)
		commands = append(commands, []string{"transcodes", "show", id})
		for _, callback := range b.receiver.Callbacks(id) {
			s.check(t, "a callback", string(callback.Body))
		}
	}
	for _, path := range paths {
		answer, err := b.API.Do(b.ctx, http.MethodGet, path, nil)
		require.NoError(t, err)
		s.check(t, path, string(answer))
	}
	for _, command := range commands {
		where := "weir-admin " + strings.Join(command, " ")
		s.check(t, where, b.admin(t, command...))
		s.check(t, where+" --json", b.admin(t, append(command, "--json")...))
	}
}

// checkRefusals looks at the answers to requests that are wrong around a secret.
func (s secrets) checkRefusals(t *testing.T, b *testBundle) {
	t.Helper()
	secret := s.plant("secret of a bad request")
	bad := func(change func(*request)) *request {
		req := b.request(t, b.missing(t))
		change(req)
		return req
	}
	for name, body := range map[string]any{
		"not JSON":      []byte(`{"source": {"url": "s3+http://key:` + secret + `@host/bucket/key"`),
		"unknown field": map[string]any{"secret": secret},
		"wrong type":    map[string]any{"source": "s3+http://key:" + secret + "@host/bucket/key"},
		"bad source":    bad(func(r *request) { r.Source.URL = "s3+ftp://key:" + secret + "@host/bucket/key" }),
		"bad host":      bad(func(r *request) { r.Source.URL = "s3+http://key:" + secret + "/x@ho st/bucket/key" }),
		"bad output":    bad(func(r *request) { r.Output.URL = "https://key:" + secret + "@host/bucket/key" }),
		"bad callback":  bad(func(r *request) { r.CallbackURL = "ftp://user:" + secret + "@host/" }),
		"bad API": bad(func(r *request) {
			r.Livepeer = &livepeer{AccessToken: secret, APIURL: "ftp://user:" + secret + "@host/"}
		}),
		"bad access token": bad(func(r *request) { r.Livepeer = &livepeer{AccessToken: secret + "\n"} }),
	} {
		_, err := b.API.Do(b.ctx, http.MethodPost, "/v1/transcodes", body)
		var refused *devstack.StatusError
		require.ErrorAs(t, err, &refused, name)
		s.check(t, "the refusal of "+name, refused.Body)
	}
	stranger := devstack.API{URL: b.API.URL, Token: b.API.Token + "x"}
	_, err := stranger.Do(b.ctx, http.MethodGet, "/v1/transcodes", nil)
	var refused *devstack.StatusError
	require.ErrorAs(t, err, &refused)
	s.check(t, "the refusal of a token", refused.Body)
}

// checkSpool looks into all files of a spool.
func (s secrets) checkSpool(t *testing.T, spool string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(spool, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return ignoreGone(err)
		}
		content, err := os.ReadFile(path)
		s.check(t, path, string(content))
		return ignoreGone(err)
	}))
}

// watchEvery is often enough to see most runs of ffmpeg, which take 50 ms at least.
const watchEvery = 5 * time.Millisecond

// watchProcesses looks at the arguments and the environment of all that the daemon
// starts, until the function that it returns is called: that fails the test for
// what was seen.
func watchProcesses(t *testing.T, b *testBundle, planted secrets) func() {
	t.Helper()
	over := make(chan struct{})
	programs, found := map[string]bool{}, map[string]bool{}
	known := maps.Clone(planted) // the test goes on planting
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			for _, pid := range childrenOf(b.Daemons[0].PID(), b.Hosts[0].BinDir) {
				program, text := process(pid)
				programs[filepath.Base(program)] = true
				for _, what := range known.in(text) {
					found[fmt.Sprintf("%s in the arguments or the environment of %s", what, program)] = true
				}
			}
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	})
	end := sync.OnceFunc(func() {
		close(over)
		watching.Wait()
	})
	t.Cleanup(end)
	return func() {
		t.Helper()
		end()
		require.Empty(t, found)
		require.Contains(t, programs, "MistProcLivepeer", "they were looked at")
		require.Contains(t, programs, "ffmpeg")
		arguments, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", b.Daemons[0].PID()))
		require.NoError(t, err)
		known.check(t, "the daemon's command line", string(arguments))
	}
}

// childrenOf lists the processes that the daemon has started, also those that a
// daemon before it has.
func childrenOf(daemon int, mistPrograms string) (pids []int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", daemon))
	for _, thread := range threads {
		children, _ := os.ReadFile(thread)
		for field := range strings.FieldsSeq(string(children)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	running, _ := mist.FindProcesses(mistPrograms)
	for _, process := range running {
		pids = append(pids, process.PID)
	}
	return pids
}

// process is what is seen of a process. One that is still the daemon's own fork, or
// is gone, shows nothing.
func process(pid int) (program, text string) {
	program, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || filepath.Base(program) == "weir-daemon" {
		return "", ""
	}
	arguments, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return program, string(arguments) + "\n" + string(environment)
}

// ignoreGone lets files end while they are looked for.
func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
