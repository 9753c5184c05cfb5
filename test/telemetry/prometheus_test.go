package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
)

const (
	rules     = "../../deploy/prometheus"
	dashboard = "../../deploy/grafana/weir.json"
	runbooks  = "../../docs/runbooks"
)

// empty are queries of the dashboard that have nothing to tell of a stack that is well.
var empty = map[string]string{
	`count by (alertname, severity) (ALERTS{alertstate="firing"})`:             "no alert fires",
	`60 * sum by (step) (rate(weir_step_seconds_count{outcome="failed"}[5m]))`: "no step has failed",
	`60 * weir:failures:rate5m`:                                                                             "no attempt has failed",
	`60 * sum by (command, kind) (rate(weir_mist_errors_total[5m]))`:                                        "Mist takes all commands",
	`sum by (broadcaster, what) (increase(weir_broadcaster_refusals_total[10m]))`:                           "no Broadcaster refuses",
	`max by (check, host, status) (weir_doctor_findings{status!="ok"})`:                                     "nothing is wrong",
	`max by (tenant, class) (weir_queue_waiting)`:                                                           "nobody waits",
	`max by (tenant, class) (weir_queue_oldest_seconds)`:                                                    "nobody waits",
	`histogram_quantile(0.9, sum by (broadcaster, le) (rate(weir_broadcaster_behind_seconds_bucket[10m])))`: "a process tells every five seconds, and a short clip is through before",
}

// program is one of Prometheus's, which `make setup` has found or unpacked.
func program(t *testing.T, name string) string {
	t.Helper()
	ours := filepath.Join(os.Getenv(devstack.BinDirVariable), name)
	if _, err := os.Stat(ours); err == nil {
		return ours
	}
	found, err := exec.LookPath(name)
	require.NoError(t, err, "run `make setup PROMETHEUS=prometheus`")
	return found
}

// Rules and alerts are well formed, and each alert fires when it should and not before.
func TestRules(t *testing.T) {
	t.Parallel()
	tests, err := filepath.Glob(rules + "/tests/*.yml")
	require.NoError(t, err)
	require.NotEmpty(t, tests)
	for _, args := range [][]string{{"check", "config", rules + "/prometheus.yml"}, append([]string{"test", "rules"}, tests...)} {
		out, err := exec.CommandContext(t.Context(), program(t, "promtool"), args...).CombinedOutput()
		require.NoError(t, err, "promtool %v: %s", args, out)
	}
	tried := read(t, rules+"/tests/alerts.yml")
	for _, alert := range alerts(t) {
		require.Contains(t, tried, "- name: "+alert+"\n", "each has a test in which it fires")
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func alerts(t *testing.T) (names []string) {
	t.Helper()
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, rules+"/weir.alerts.yml"), -1) {
		names = append(names, m[1])
	}
	require.NotEmpty(t, names)
	return names
}

// queries are those of the dashboard.
func queries(t *testing.T) (all []string) {
	t.Helper()
	var board struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, dashboard)), &board))
	for _, panel := range board.Panels {
		for _, target := range panel.Targets {
			all = append(all, target.Expr)
		}
	}
	require.NotEmpty(t, all)
	return all
}

// startPrometheus scrapes the stack once a second, and returns its address.
func startPrometheus(t *testing.T, o *observed) string {
	t.Helper()
	dir := t.TempDir()
	var targets []string
	for _, daemon := range o.Daemons {
		targets = append(targets, fmt.Sprintf("%q", daemon.Metrics))
	}
	config := strings.NewReplacer(`"127.0.0.1:9464"`, strings.Join(targets, ", "), "15s", "1s").Replace(read(t, rules+"/prometheus.yml"))
	require.NoError(t, os.WriteFile(dir+"/prometheus.yml", []byte(config), 0o600))
	for _, name := range []string{"weir.rules.yml", "weir.alerts.yml"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(read(t, filepath.Join(rules, name))), 0o600))
	}
	process := exec.CommandContext(context.WithoutCancel(t.Context()), program(t, "prometheus"),
		"--config.file="+dir+"/prometheus.yml", "--storage.tsdb.path="+dir+"/data", "--web.listen-address=127.0.0.1:0")
	log, err := os.Create(dir + "/log")
	require.NoError(t, err)
	process.Stdout, process.Stderr = log, log
	require.NoError(t, process.Start())
	t.Cleanup(func() {
		require.NoError(t, process.Process.Signal(syscall.SIGTERM))
		_ = process.Wait()
		require.NoError(t, log.Close())
		if t.Failed() {
			t.Log(read(t, dir+"/log"))
		}
	})
	listens := regexp.MustCompile(`msg="?Listening on"? address=(\S+)`)
	var found []string
	require.Eventually(t, func() bool {
		found = listens.FindStringSubmatch(read(t, dir+"/log"))
		return found != nil
	}, patience, lookAgain)
	return "http://" + found[1]
}

// lookAgain is how often a log is read anew.
const lookAgain = 50 * time.Millisecond

// ask is how many series a query gives; -1: Prometheus does not answer yet.
func ask(t *testing.T, at, query string) int {
	t.Helper()
	resp, err := http.Get(at + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return -1
	}
	defer resp.Body.Close()
	var answer struct {
		Status, Error string
		Data          struct{ Result []any }
	}
	if json.NewDecoder(resp.Body).Decode(&answer) != nil {
		return -1
	}
	require.Equal(t, "success", answer.Status, "%s: %s", query, answer.Error)
	return len(answer.Data.Result)
}

// Each query of the dashboard has something to show of a stack that works, but those that
// only speak of trouble.
func TestDashboard(t *testing.T) {
	t.Parallel()
	o, err := shared()
	require.NoError(t, err)
	at := startPrometheus(t, o)
	all := queries(t)
	for query, why := range empty {
		require.Contains(t, all, query, why)
	}
	require.Eventually(t, func() bool { return ask(t, at, "count(weir_works) == 2") == 1 }, patience, time.Second)
	require.NoError(t, o.submitAnother(t.Context())) // rates are of what happens while it looks
	var silent []string
	require.Eventually(t, func() bool {
		silent = slices.DeleteFunc(slices.Clone(all), func(query string) bool { return empty[query] != "" || ask(t, at, query) > 0 })
		return len(silent) == 0
	}, patience, time.Second, "they show nothing: %v", &silent)
	for _, m := range regexp.MustCompile(`record: (\S+)`).FindAllStringSubmatch(read(t, rules+"/weir.rules.yml"), -1) {
		if empty["60 * "+m[1]] == "" {
			require.Positive(t, ask(t, at, m[1]), m[1])
		}
	}
	require.Zero(t, ask(t, at, `ALERTS{alertstate="firing", alertname!="WeirDaemonDown"}`), "all is well")
}

// What /metrics tells names no transcode and no secret.
func TestMetricsTellNoSecret(t *testing.T) {
	t.Parallel()
	o, err := shared()
	require.NoError(t, err)
	settings := o.Settings()
	for _, daemon := range o.Daemons {
		resp, err := http.Get("http://" + daemon.Metrics + "/metrics")
		require.NoError(t, err)
		text := new(strings.Builder)
		require.NoError(t, resp.Write(text))
		require.NoError(t, resp.Body.Close())
		require.Contains(t, text.String(), "weir_step_seconds")
		for _, secret := range []string{o.transcode, string(o.S3.SecretKey), settings["WEIR_SECRET_KEY"], string(o.API.Token), "://"} {
			require.NotContains(t, text.String(), secret)
		}
	}
}
