package tools

import (
	"cmp"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/require"
)

func loadCompose(t *testing.T) *types.Project {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{"../docker-compose.yml"}, cli.WithProfiles([]string{"*"}))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context())
	require.NoError(t, err)
	return project
}

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// pinned is an image with a version that holds a digit.
var pinned = regexp.MustCompile(`^[a-z0-9./-]+:[a-z0-9.-]*\d[a-z0-9.-]*$`)

func TestComposeImagesAreNamedByVersion(t *testing.T) {
	t.Parallel()
	dockerfile := read(t, "../Dockerfile")
	for name, service := range loadCompose(t).Services {
		if service.Build == nil {
			require.Regexp(t, pinned, service.Image, "service %s", name)
			continue
		}
		require.Contains(t, dockerfile, " AS "+service.Build.Target+"\n", "service %s builds a target that the Dockerfile lacks", name)
	}
	stages := map[string]bool{}
	for _, from := range regexp.MustCompile(`(?m)^FROM (\S+) AS (\S+)$`).FindAllStringSubmatch(dockerfile, -1) {
		if !stages[from[1]] {
			require.Regexp(t, pinned, from[1])
		}
		stages[from[2]] = true
	}
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindStringSubmatch(read(t, "../go.mod"))[1]
	require.Contains(t, dockerfile, "FROM golang:"+goVersion+"-", "the image's Go is not go.mod's")
}

func TestComposeHasTheWholeSystem(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	for _, name := range []string{
		"postgres", "s3", "bucket", "migrate", "store", "broadcaster", "studio", "control", "mist", "daemon", "mist-2", "daemon-2",
	} {
		service, ok := project.Services[name]
		require.True(t, ok, "service %s is missing", name)
		require.Empty(t, service.Profiles, "service %s does not come with `docker compose up`", name)
	}
	for _, name := range []string{"prometheus", "grafana"} {
		require.Equal(t, []string{"telemetry"}, project.Services[name].Profiles, "service %s comes with its profile alone", name)
	}
	// Triggers are taken from the loopback only, and MistProcLivepeer works through shared memory
	// and process ids.
	hosts, spools := map[string]bool{}, map[string]bool{}
	for daemon, mist := range map[string]string{"daemon": "mist", "daemon-2": "mist-2"} {
		of := "service:" + mist
		service := project.Services[daemon]
		require.Equal(t, of, service.NetworkMode)
		require.Equal(t, of, service.Pid)
		require.Equal(t, of, service.Ipc)
		require.Equal(t, project.Services[mist].Volumes, service.Volumes, "both see the spool under one path")
		require.Equal(t, "false", *service.Environment["WEIR_CONTROL"])
		require.Contains(t, service.DependsOn, mist)
		hosts[*service.Environment["WEIR_HOST_ID"]] = true
		for _, volume := range service.Volumes {
			spools[volume.Source] = true
		}
	}
	require.Len(t, hosts, 2, "each host has an id")
	require.Len(t, spools, 4, "each host has its own volumes")
	require.Equal(t, "false", *project.Services["control"].Environment["WEIR_WORKER"])
	for name, service := range project.Services {
		for _, port := range service.Ports {
			require.Equal(t, "127.0.0.1", port.HostIP, "service %s is reachable from other machines", name)
		}
	}
}

// Each daemon's metrics are reached by Prometheus, under the name of the container whose
// network it has, and by nobody outside.
func TestComposeScrapesEveryDaemon(t *testing.T) {
	t.Parallel()
	project := loadCompose(t)
	var daemons []string
	for name, service := range project.Services {
		listen := service.Environment["WEIR_METRICS_LISTEN"]
		if service.Environment["WEIR_DATABASE_URL"] == nil || service.Entrypoint != nil { // a command of weir-admin
			require.Nil(t, listen, name)
			continue
		}
		require.NotNil(t, listen, "service %s listens for Prometheus on its own loopback", name)
		host, port, err := net.SplitHostPort(*listen)
		require.NoError(t, err)
		require.Equal(t, "0.0.0.0", host, "service %s", name)
		daemons = append(daemons, net.JoinHostPort(strings.TrimPrefix(cmp.Or(service.NetworkMode, name), "service:"), port))
		for _, published := range service.Ports {
			require.NotEqual(t, port, strconv.Itoa(int(published.Target)), "service %s publishes its metrics", name)
		}
	}
	require.Len(t, daemons, 3)
	config := project.Configs["prometheus"].Content
	require.Contains(t, config, "- job_name: weir\n", "the alerts ask for this one")
	listed := regexp.MustCompile(`targets: \[([^]]*)\]`).FindAllStringSubmatch(config, -1)
	require.Len(t, listed, 1)
	require.ElementsMatch(t, daemons, strings.Split(strings.ReplaceAll(listed[0][1], `"`, ""), ", "))
	require.Empty(t, project.Services["prometheus"].NetworkMode, "it is on the network of the daemons")
}

// What leads serves the operators' pages, to a user whose token the README names.
func TestComposeServesThePages(t *testing.T) {
	t.Parallel()
	control := loadCompose(t).Services["control"]
	_, port, err := net.SplitHostPort(*control.Environment["WEIR_WEB_LISTEN"])
	require.NoError(t, err)
	published := ""
	for _, p := range control.Ports {
		if strconv.Itoa(int(p.Target)) == port {
			published = "http://" + net.JoinHostPort(p.HostIP, p.Published)
		}
	}
	require.Equal(t, published, *control.Environment["WEIR_WEB_URL"])
	require.Contains(t, read(t, "../README.md"), published+" (user `demo`, token `demo-token`)")
	user := regexp.MustCompile(`^demo:operator:pbkdf2-sha256\.(\d+)\.([\w-]+)\.([\w-]+)$`).FindStringSubmatch(*control.Environment["WEIR_WEB_USERS"])
	require.Len(t, user, 4)
	rounds, err := strconv.Atoi(user[1])
	require.NoError(t, err)
	salt, err := base64.RawURLEncoding.DecodeString(user[2])
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(salt), 16)
	key, err := pbkdf2.Key(sha256.New, "demo-token", salt, rounds, sha256.Size)
	require.NoError(t, err)
	require.Equal(t, user[3], base64.RawURLEncoding.EncodeToString(key))
}

// A WEIR_ variable that is no setting stops the daemon.
func TestComposeKnowsTheSettings(t *testing.T) {
	t.Parallel()
	settings := map[string]bool{}
	for _, m := range regexp.MustCompile(`env:"(WEIR_[A-Z0-9_]+)`).FindAllStringSubmatch(read(t, "../config/config.go"), -1) {
		settings[m[1]] = true
	}
	require.NotEmpty(t, settings)
	for name, service := range loadCompose(t).Services {
		for variable, value := range service.Environment {
			if !strings.HasPrefix(variable, "WEIR_") || strings.HasPrefix(variable, "WEIR_DEMO_") {
				continue
			}
			require.True(t, settings[variable], "service %s sets %s, which is no setting", name, variable)
			require.NotNil(t, value, "service %s takes %s from the shell without a default", name, variable)
		}
	}
}
