package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/api"
	"weir/api/events"
	"weir/config"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/jobs/retention"
	"weir/storage/dial"
)

// asDaemon makes the test's binary be weir-daemon.
const asDaemon = "WEIR_TEST_DAEMON"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// transcript is written by one and read by another.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *transcript) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *transcript) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// service is a daemon that systemd would have started.
type service struct {
	process *exec.Cmd
	url     string
	file    string
	log     transcript
	// words are what it told systemd.
	words chan string
}

// startService starts a daemon that leads with settings of a file, and plays systemd.
func startService(t *testing.T, watchdog time.Duration, lines ...string) *service {
	t.Helper()
	folder := t.TempDir()
	socket := filepath.Join(folder, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	s := &service{file: filepath.Join(folder, "weir.env"), words: make(chan string, 1000)}
	s.write(t, lines...)
	s.process = exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "--config", s.file)
	s.process.Env = []string{
		asDaemon + "=1", "WEIR_DATABASE_URL=" + dbtest.URL(t), "WEIR_API_LISTEN=127.0.0.1:0", "WEIR_WORKER=false", "WEIR_METRICS_LISTEN=",
		"NOTIFY_SOCKET=" + socket, fmt.Sprint("WATCHDOG_USEC=", watchdog.Microseconds()), "WEIR_SECRET_KEY=" + strings.Repeat("07", 32),
	}
	s.process.Stderr = &s.log
	require.NoError(t, s.process.Start())
	var reading sync.WaitGroup
	reading.Go(func() {
		buffer := make([]byte, 4096)
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			s.words <- string(buffer[:n])
		}
	})
	t.Cleanup(func() {
		_ = s.process.Process.Kill()
		_ = s.process.Wait()
		_ = conn.Close()
		reading.Wait()
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	s.url = listensAt(t, s.log.String)
	return s
}

// listensAt is where a daemon that was told to take any port serves its API, by its log.
func listensAt(t *testing.T, log func() string) (url string) {
	t.Helper()
	said := regexp.MustCompile(`"the API listens","address":"([^"]+)"`)
	require.Eventually(t, func() bool {
		found := said.FindStringSubmatch(log())
		if found == nil {
			return false
		}
		url = "http://" + found[1]
		return true
	}, patience, 10*time.Millisecond)
	return url
}

func (s *service) write(t *testing.T, lines ...string) {
	t.Helper()
	require.NoError(t, os.WriteFile(s.file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
}

// hears waits until systemd is told so.
func (s *service) hears(t *testing.T, word string) string {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case said := <-s.words:
			if strings.Contains(said, word) {
				return said
			}
		case <-limit.C:
			require.FailNow(t, "systemd was not told", word)
		}
	}
}

// reloads sends SIGHUP, and waits until the daemon is through with it.
func (s *service) reloads(t *testing.T) {
	t.Helper()
	require.NoError(t, s.process.Process.Signal(syscall.SIGHUP))
	s.hears(t, "RELOADING=1\nMONOTONIC_USEC=")
	s.hears(t, "READY=1")
}

// logs waits until the log has a text: it comes over a pipe, later than a word to systemd may.
func (s *service) logs(t *testing.T, text string) {
	t.Helper()
	const every = 10 * time.Millisecond // a line is there within some
	require.Eventually(t, func() bool { return strings.Contains(s.log.String(), text) }, patience, every, text)
}

func (s *service) status(t *testing.T, token string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/transcodes", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

// A daemon tells systemd how it is, and takes over at SIGHUP what may change.
func TestReload(t *testing.T) {
	t.Parallel()
	const watchdog = 3 * time.Second // a test hears several of its words
	s := startService(t, watchdog, "WEIR_API_TOKENS=studio=old-hush")
	s.hears(t, "STATUS=waits")
	require.Equal(t, "READY=1\nSTATUS=works", s.hears(t, "READY=1"))
	s.hears(t, "WATCHDOG=1")
	s.hears(t, "WATCHDOG=1")
	require.Equal(t, http.StatusOK, s.status(t, "old-hush"))
	require.Equal(t, http.StatusUnauthorized, s.status(t, "new-hush"))

	s.write(t, "WEIR_API_TOKENS=studio=new-hush", "WEIR_LOG_LEVEL=debug", "WEIR_DATABASE_MAX_CONNS=9")
	s.reloads(t)
	require.Equal(t, http.StatusUnauthorized, s.status(t, "old-hush"))
	require.Equal(t, http.StatusOK, s.status(t, "new-hush"))
	s.logs(t, `"msg":"settings reloaded","changed":["WEIR_API_TOKENS","WEIR_LOG_LEVEL"]`)
	s.logs(t, `"msg":"settings need a restart","settings":["WEIR_DATABASE_MAX_CONNS"]`)

	s.write(t, "WEIR_API_TOKENS=studio=newest-hush", "WEIR_LOG_LEVELS=info")
	s.reloads(t)
	s.logs(t, "settings not reloaded")
	s.logs(t, "did you mean WEIR_LOG_LEVEL?")
	require.Equal(t, http.StatusOK, s.status(t, "new-hush"), "it goes on with what it had")
	require.Equal(t, http.StatusUnauthorized, s.status(t, "newest-hush"))

	s.hears(t, "WATCHDOG=1")
	require.NoError(t, s.process.Process.Signal(syscall.SIGTERM))
	s.hears(t, "STOPPING=1")
	require.NoError(t, s.process.Wait())
	require.NotContains(t, s.log.String(), "hush")
}

// Settings that are wrong have an exit code of their own, for which the unit does not
// start again; a wrong command line has another.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, environ []string
		code          int
		says          string
	}{
		{nil, []string{"WEIR_HOST_SLOT=3"}, exitSettings, "WEIR_DATABASE_URL is not set"},
		{[]string{"--config", "/nowhere/weir.env"}, nil, exitSettings, "no such file"},
		{[]string{"config", "check"}, []string{"WEIR_HOST_SLOT=3"}, exitSettings, "weir-daemon: settings: "},
		{[]string{"now"}, nil, exitUsage, "unknown command"},
		{[]string{"doctor", "--only", "nope"}, nil, exitUsage, "--only: \"nope\" is no check"},
		{[]string{"--confg", "x"}, nil, exitUsage, "unknown flag"},
		{[]string{"version"}, nil, 0, ""},
	} {
		var out, errs bytes.Buffer
		require.Equal(t, test.code, program(test.args, test.environ, &out, &errs), errs.String())
		require.Contains(t, errs.String(), test.says)
		require.LessOrEqual(t, strings.Count(errs.String(), "\n"), 1)
	}
	good := []string{
		"WEIR_DATABASE_URL=postgres://u@h/d", "WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_WORKER=false", "WEIR_API_TOKENS=studio=x",
	}
	var out, errs bytes.Buffer
	require.Zero(t, program([]string{"config", "check"}, good, &out, &errs), errs.String())
	require.Equal(t, "the settings are well\n", out.String())
	// What only the daemon can read.
	require.Equal(t, exitSettings, program([]string{"config", "check"}, append(good, "WEIR_API_TOKENS=studio"), &out, &errs))
	require.Contains(t, errs.String(), "WEIR_API_TOKENS, entry 1: it has no =")
}

// TestTakesOverWhatItSays: each setting that docs/settings.md says yes of is taken over.
func TestTakesOverWhatItSays(t *testing.T) {
	t.Parallel()
	pool := dbtest.New(t)
	log := slog.New(slog.DiscardHandler)
	before := []string{
		"WEIR_DATABASE_URL=postgres://u@h/d", "WEIR_SECRET_KEY=" + strings.Repeat("07", 32), "WEIR_WORKER=false", "WEIR_API_TOKENS=studio=old",
	}
	call := func(d *daemon, token string) int {
		answer := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, "/v1/transcodes", nil)
		req.Header.Set("Authorization", "Bearer "+token)
		d.front.ServeHTTP(answer, req)
		return answer.Code
	}
	checks := map[string]struct {
		value string
		check func(d *daemon)
	}{
		"WEIR_LOG_LEVEL": {"error", func(d *daemon) { require.Equal(t, slog.LevelError, d.level.Level()) }},
		"WEIR_API_TOKENS": {"studio=new", func(d *daemon) {
			require.Equal(t, http.StatusUnauthorized, call(d, "old"))
			require.Equal(t, http.StatusOK, call(d, "new"))
		}},
		"WEIR_API_RATE": {"1", func(d *daemon) {
			const most = 1000 // a second gives one, and a slow machine's are long
			codes := []int{call(d, "old"), call(d, "old")}
			require.Equal(t, []int{http.StatusOK, http.StatusOK}, codes)
			for len(codes) < most && codes[len(codes)-1] == http.StatusOK {
				codes = append(codes, call(d, "old"))
			}
			require.Equal(t, http.StatusTooManyRequests, codes[len(codes)-1])
		}},
		"WEIR_API_FAILED_AUTH": {"1", func(d *daemon) {
			require.Equal(t, http.StatusUnauthorized, call(d, "wrong"))
			require.Equal(t, http.StatusTooManyRequests, call(d, "wrong"))
		}},
		"WEIR_ALLOWED_NETWORKS": {"10.0.0.0/8", func(d *daemon) {
			require.True(t, d.guard.Trusts(netip.MustParseAddrPort("10.1.2.3:443")))
		}},
		"WEIR_KEEP_TRANSCODES_DAYS":        {"91", nil},
		"WEIR_KEEP_TRIGGERS_DAYS":          {"8", nil},
		"WEIR_KEEP_EVENTS_DAYS":            {"8", nil},
		"WEIR_KEEP_CALLBACK_ATTEMPTS_DAYS": {"31", nil},
	}
	for _, setting := range config.Settings() {
		test, there := checks[setting.Name]
		require.Equal(t, setting.Reload, there, "%s: does a daemon take it over, or not?", setting.Name)
		if !there {
			continue
		}
		cfg, err := config.Load(before)
		require.NoError(t, err)
		texts, err := read(cfg)
		require.NoError(t, err)
		inserter, err := jobs.NewInserter(pool)
		require.NoError(t, err)
		d := &daemon{
			cfg: cfg, current: cfg, texts: texts, pool: pool, guard: &dial.Guard{}, transcodes: &jobs.Transcodes{DB: pool, River: inserter},
			retention: &retention.Retention{Keep: keep(cfg)},
		}
		d.around = &surroundings{load: func() (*config.Config, error) { return config.Load(append(before, setting.Name+"="+test.value)) }}
		d.log = logger(cfg, &d.level, io.Discard)
		d.served = d.api(events.New(pool, log))
		handler, err := api.New(d.served)
		require.NoError(t, err)
		d.front.set(handler)
		require.NoError(t, d.reload(t.Context()))
		require.NotSame(t, d.cfg, d.current)
		if test.check != nil {
			test.check(d)
			continue
		}
		require.Equal(t, keep(d.current), d.retention.Kept(), setting.Name)
		require.NotEqual(t, keep(d.cfg), d.retention.Kept(), setting.Name)
	}
}

// The watchdog is put off by a daemon that lives, and by no other.
func TestAlive(t *testing.T) {
	t.Parallel()
	answers := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answers) }))
	d := &daemon{}
	require.NoError(t, d.alive(t.Context(), nil), "a daemon that waits has no loops yet")
	beat := d.pulse.of("one")
	d.pulse.of("another")
	require.NoError(t, d.alive(t.Context(), server.Listener))
	answers = http.StatusInternalServerError
	require.ErrorContains(t, d.alive(t.Context(), server.Listener), "/healthz with 500")
	server.Close()
	require.ErrorContains(t, d.alive(t.Context(), server.Listener), "the API does not answer")

	d.pulse.last["one"] = time.Now().Add(-2 * silentMost)
	require.ErrorContains(t, d.alive(t.Context(), nil), "the loop of one has stood still")
	beat()
	require.NoError(t, d.alive(t.Context(), nil))
}
