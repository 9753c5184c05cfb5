package tools

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const unitPath = "../deploy/systemd/weir-daemon.service"

// exposureMost is what `systemd-analyze security` may say, in tenths: what is left open
// is what MistServer shares with the daemon.
const exposureMost = "30"

// unitOfThisTree is the unit with the program of this tree in it.
func unitOfThisTree(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../build/bin/weir-daemon")
	require.NoError(t, err)
	text := read(t, unitPath)
	require.Contains(t, text, "=/usr/bin/weir-daemon ")
	path := filepath.Join(t.TempDir(), "weir-daemon.service")
	require.NoError(t, os.WriteFile(path, []byte(strings.ReplaceAll(text, "=/usr/bin/weir-daemon ", "="+program+" ")), 0o600))
	return path
}

func TestUnitIsVerified(t *testing.T) {
	t.Parallel()
	unit := unitOfThisTree(t)
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out), "it has something to say of the unit")
	out, err = exec.CommandContext(t.Context(), "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+exposureMost, unit).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// A unit that it has nothing to say of would prove little if it never had.
func TestUnitIsRefused(t *testing.T) {
	t.Parallel()
	unit := unitOfThisTree(t)
	require.NoError(t, os.WriteFile(unit, []byte(strings.Replace(read(t, unit), "WatchdogSec=", "WatchDogSec=", 1)), 0o600))
	out, _ := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", unit).CombinedOutput()
	require.Contains(t, string(out), "WatchDogSec")
}

// What the unit says and what the daemon does are one thing.
func TestUnitFitsTheDaemon(t *testing.T) {
	t.Parallel()
	unit := read(t, unitPath)
	has := func(line string) { t.Helper(); require.Contains(t, unit, "\n"+line+"\n") }
	constant := func(file, pattern string) string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(read(t, file))
		require.NotNil(t, m, "%s in %s", pattern, file)
		return m[1]
	}
	seconds := func(name string) time.Duration {
		t.Helper()
		d, err := time.ParseDuration(constant(unitPath, `(?m)^`+name+`=(\S+)$`))
		require.NoError(t, err)
		return d
	}
	// A stop of the daemon is no stop of MistProcLivepeer (TestRestart).
	has("KillMode=process")
	has("Type=notify")
	has("Restart=always")
	has("RestartPreventExitStatus=" + constant("../cmd/daemon/main.go", `exitSettings = (\d+)`))
	// Shared with MistServer: memory, processes, the spool's path.
	for _, never := range []string{"PrivateTmp=", "PrivateIPC=", "PrivatePIDs=", "ProtectProc=", "PrivateUsers=", "PrivateNetwork=", "DynamicUser=", "MemoryDenyWriteExecute="} {
		require.NotContains(t, unit, "\n"+never)
	}
	require.Equal(t, "time.Minute", constant("../cmd/daemon/watchdog.go", `readyPatience = (\S+)`))
	require.Greater(t, seconds("TimeoutStartSec"), time.Minute, "the daemon gives up waiting before systemd does")
	require.Equal(t, "25", constant("../cmd/daemon/run.go", `stopTimeout = (\d+) \* time\.Second`))
	require.Greater(t, seconds("TimeoutStopSec"), 25*time.Second)
	require.Positive(t, seconds("WatchdogSec"))
	require.Contains(t, unit, "--config "+constant("../config/file.go", `DefaultFile = "(\S+)"`))
}
