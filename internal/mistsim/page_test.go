package mistsim_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim"
)

const (
	sourcePage = "MstDatatr_src_a@0_0"
	sourceMeta = "MstMetatr_src_a"
)

// inputOf finds the input's process: the one that says so and is of the session.
func inputOf(t *testing.T, session int) int {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool {
		entries, err := os.ReadDir("/proc")
		require.NoError(t, err)
		for _, e := range entries {
			args, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
			if err != nil || !strings.HasPrefix(string(args), "MistInTS\x00-s\x00tr_src_a\x00/") {
				continue
			}
			if pid = atoi(t, e.Name()); statOf(pid)[statSession] == itoa(session) {
				return true
			}
		}
		return false
	}, patience, look)
	return pid
}

// TestPages: a source's input is a process of MistProcLivepeer's session that keeps
// its data in shared memory. After SIGTERM it takes a while to remove it; a SIGKILL
// leaves it there, and on Upstream a nuke then removes the metadata alone.
func TestPages(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		flavour mistsim.Flavour
		stop    time.Duration // how long the input takes
		end     func(t *testing.T, h *host, pid int)
		left    []string
	}{
		"nuked":                {mistsim.Upstream, time.Millisecond, nuke, nil},
		"SIGTERM":              {mistsim.Upstream, time.Millisecond, signal(syscall.SIGTERM), nil},
		"SIGKILL":              {mistsim.Livepeer, time.Millisecond, signal(syscall.SIGKILL), []string{sourcePage, sourceMeta}},
		"SIGKILL, nuked":       {mistsim.Livepeer, time.Millisecond, killAndNuke, nil},
		"SIGKILL, nuked by UP": {mistsim.Upstream, time.Millisecond, killAndNuke, []string{sourcePage}},
		"host shut down":       {mistsim.Upstream, time.Millisecond, func(t *testing.T, h *host, _ int) { require.NoError(t, h.Close()) }, nil},
		"SIGKILL while stopping": {mistsim.Upstream, time.Hour, func(t *testing.T, h *host, pid int) {
			nuke(t, h, pid)
			signal(syscall.SIGKILL)(t, h, pid)
			h.until(t, "a", func(object) bool { return !exists(h, sourceMeta) })
		}, []string{sourcePage}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			timing := quick
			timing.InputStop = c.stop
			h := setupRace(t, mistsim.Config{Flavour: c.flavour, Timing: timing, ShmDir: t.TempDir()})
			w, open := gated(t, h, "/0.ts", object{})
			defer open()
			pid := inputOf(t, w.process.Process.Pid)
			require.Eventually(t, func() bool { return exists(h, sourcePage) && exists(h, sourceMeta) }, patience, look)
			var info os.FileInfo
			require.Eventually(t, func() bool { // it is made, then it gets its size
				var err error
				info, err = os.Stat(filepath.Join(h.shm, sourcePage))
				return err == nil && info.Size() > 0
			}, patience, look)
			source, err := os.Stat(setupSources(t).padded)
			require.NoError(t, err)
			require.InDelta(t, source.Size(), info.Size(), float64(source.Size())/4, "as large as the source's data")
			require.Zero(t, info.Sys().(*syscall.Stat_t).Blocks, "but no larger on disk")

			c.end(t, h, pid)
			require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || isZombie(pid) }, patience, look)
			require.Eventually(t, func() bool { return len(pages(t, h)) == len(c.left) }, patience, look)
			require.ElementsMatch(t, c.left, pages(t, h))
		})
	}
}

func nuke(t *testing.T, h *host, _ int) {
	h.ask(t, object{"deletestream": "tr_src_a", "nuke_stream": "tr_src_a"})
}

func signal(s syscall.Signal) func(*testing.T, *host, int) {
	return func(t *testing.T, _ *host, pid int) { require.NoError(t, syscall.Kill(pid, s)) }
}

func killAndNuke(t *testing.T, h *host, pid int) {
	signal(syscall.SIGKILL)(t, h, pid)
	require.Eventually(t, func() bool { return syscall.Kill(pid, 0) != nil || isZombie(pid) }, patience, look)
	h.until(t, "a", func(object) bool { nuke(t, h, pid); return !exists(h, sourceMeta) })
}

func exists(h *host, page string) bool {
	_, err := os.Stat(filepath.Join(h.shm, page))
	return err == nil
}

func pages(t *testing.T, h *host) (out []string) {
	entries, err := os.ReadDir(h.shm)
	require.NoError(t, err)
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// TestDeafInput: the input of a source that is no media does not listen to SIGTERM.
func TestDeafInput(t *testing.T) {
	t.Parallel()
	h := setup(t, mistsim.Config{Timing: quick})
	w := begin(t, h, setupSources(t).garbage, 0, object{"hardcoded_broadcasters": "http://127.0.0.1:9"})
	h.until(t, "a", func(object) bool { return strings.Contains(w.process.log.String(), "Waiting for stream to boot") })
	pid := inputOf(t, w.process.Process.Pid)
	require.Eventually(t, func() bool {
		status, err := os.ReadFile(filepath.Join("/proc", itoa(pid), "status"))
		require.NoError(t, err)
		_, ignored, _ := strings.Cut(string(status), "SigIgn:\t")
		mask, err := strconv.ParseUint(ignored[:16], 16, 64)
		require.NoError(t, err)
		return mask>>(syscall.SIGTERM-1)&1 == 1
	}, patience, look)
}
