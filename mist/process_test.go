package mist

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// patience is how long a test waits for a process on a slow machine.
const patience = 30 * time.Second

// What this test binary does when it runs under another name.
var stands = map[string]func() int{
	processProgram: standProcess,
	"MistInTS":     standInput,
	sessionProgram: standInput,
	"starter":      standStarter,
}

// Files in the spool folder by which a test and its stand-in talk.
const (
	behaviourFile = "behaviour"
	readyFile     = "ready"
	stdinFile     = "stdin.json"
	envFile       = "env"
	inputPIDFile  = "input.pid"
	pageFile      = "page"
	// deafFile is there once an input ignores SIGTERM.
	deafFile = "deaf"
)

// standProcess stands in for MistProcLivepeer; the file "behaviour" says how.
func standProcess() int {
	behaviour, err := os.ReadFile(behaviourFile)
	if err != nil {
		return 90
	}
	stdin, err := io.ReadAll(os.Stdin)
	if err != nil {
		return 91
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	fmt.Println("to stdout")
	fmt.Fprintln(os.Stderr, "to stderr")
	for name, content := range map[string]string{stdinFile: string(stdin), envFile: strings.Join(os.Environ(), "\n")} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			return 92
		}
	}
	switch string(behaviour) {
	case "exit":
		return 3
	case "hang", "leave input", "hang over a polite input", "leave a polite input":
		input := exec.Command(filepath.Join(filepath.Dir(os.Args[0]), "MistInTS"))
		if err := input.Start(); err != nil {
			return 93
		}
		if err := os.WriteFile(inputPIDFile, []byte(strconv.Itoa(input.Process.Pid)), 0o600); err != nil {
			return 94
		}
	}
	if err := os.WriteFile(readyFile, nil, 0o600); err != nil {
		return 95
	}
	for {
		<-terminate
		if !strings.HasPrefix(string(behaviour), "hang") {
			return 0
		}
	}
}

// standInput holds a page of memory and gives it back on SIGTERM; or it ignores SIGTERM
// for ever, as Mist's input of a bad source does.
func standInput() int {
	behaviour, err := os.ReadFile(behaviourFile)
	if err != nil {
		return 90
	}
	if !strings.HasSuffix(string(behaviour), "a polite input") {
		signal.Ignore(syscall.SIGTERM)
		if err := os.WriteFile(deafFile, nil, 0o600); err != nil {
			return 93
		}
		select {}
	}
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	if err := os.WriteFile(pageFile, nil, 0o600); err != nil {
		return 91
	}
	<-terminate
	if err := os.Remove(pageFile); err != nil {
		return 92
	}
	return 0
}

// standStarter is an earlier run of the daemon: it starts a process, says which, and is gone.
func standStarter() int {
	p, err := StartProcess(context.Background(), spec(os.Args[1], os.Args[2]))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Print(p.ProcessRef)
	return 0
}

func spec(binDir, dir string) ProcessSpec {
	return ProcessSpec{
		BinDir:       binDir,
		Dir:          dir,
		Name:         Name{Transcode: uuid.MustParse("0f8fad5b-d9cb-469f-a165-70867728950e"), Attempt: 1},
		Broadcasters: []string{"http://127.0.0.1:8935"},
		AccessToken:  "hunter2-token",
		CustomURL:    "http://127.0.0.1:3004/api?a=1&b=2",
		Profiles:     []Profile{{Name: "360p", Bitrate: 800000, Width: 640, Height: 360, FPS: 30000, FPSDen: 1001, Quality: 27}, {Name: "180p", Bitrate: 300000, Width: 320, Height: 180}},
	}
}

// setupProcess makes a folder of programs and a spool folder.
func setupProcess(t *testing.T, behaviour string) (binDir, dir string) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	binDir, dir = t.TempDir(), t.TempDir()
	for name := range stands {
		require.NoError(t, os.Symlink(self, filepath.Join(binDir, name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, behaviourFile), []byte(behaviour), 0o600))
	t.Cleanup(func() { // a failed test leaves nothing running
		found, err := FindProcesses(binDir)
		require.NoError(t, err)
		for _, p := range found {
			require.NoError(t, Attach(p.ProcessRef).Kill(context.WithoutCancel(t.Context())))
		}
	})
	return binDir, dir
}

func start(t *testing.T, binDir, dir string) *Process {
	t.Helper()
	p, err := StartProcess(t.Context(), spec(binDir, dir))
	require.NoError(t, err)
	return p
}

func waitReady(t *testing.T, dir string) {
	t.Helper()
	waitFile(t, dir, readyFile)
}

// waitFile waits until a stand-in has got so far.
func waitFile(t *testing.T, dir, name string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}, patience, 10*time.Millisecond, "the stand-in made no file %q", name)
}

func inputPID(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, inputPIDFile))
	require.NoError(t, err)
	pid, err := strconv.Atoi(string(raw))
	require.NoError(t, err)
	return pid
}

// gone: neither running nor waiting to be reaped by us.
func gone(pid int) bool {
	s, err := readStat(pid)
	return isGone(err) || (err == nil && s.zombie())
}

func TestProcessGetsItsConfiguration(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "run")
	p := start(t, binDir, dir)
	waitReady(t, dir)
	require.True(t, p.Alive())

	stdin, err := os.ReadFile(filepath.Join(dir, stdinFile))
	require.NoError(t, err)
	require.JSONEq(t, `{
		"source": "tr_src_0f8fad5bd9cb469fa16570867728950e_1", "sink": "tr_rend_+0f8fad5bd9cb469fa16570867728950e_1",
		"leastlive": true, "audio_select": "none",
		"hardcoded_broadcasters": "[{\"address\":\"http://127.0.0.1:8935\"}]",
		"access_token": "hunter2-token", "custom_url": "http://127.0.0.1:3004/api?a=1&b=2",
		"target_profiles": [{"name": "360p", "bitrate": 800000, "width": 640, "height": 360, "fps": 30000, "fpsDen": 1001, "quality": 27}, {"name": "180p", "bitrate": 300000, "width": 320, "height": 180}]
	}`, string(stdin))
	require.Contains(t, string(stdin), "a=1&b=2", "not escaped")

	cmdline, err := os.ReadFile(procPath(p.PID, "cmdline"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Join(binDir, processProgram), "-", "--debug", "4", "--kickoff"}, strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00"))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries { // nor does the token lie in the spool
		if e.Name() != stdinFile {
			raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
			require.NoError(t, err)
			require.NotContains(t, string(raw), "hunter2", e.Name())
		}
	}
	s, err := readStat(p.PID)
	require.NoError(t, err)
	require.Equal(t, p.PID, s.session, "a session of its own")
	log, err := TailLog(filepath.Join(dir, ProcessLogName), 1000)
	require.NoError(t, err)
	require.Contains(t, log, "to stdout\n")
	require.Contains(t, log, "to stderr\n")

	require.NoError(t, p.Stop(t.Context(), patience))
	exit, err := p.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, Exit{Known: true}, exit)
	require.False(t, p.Alive())
	_, err = readStat(p.PID)
	require.True(t, isGone(err), "reaped")
	require.NoError(t, p.Stop(t.Context(), patience), "stopping again does nothing")
}

func TestProcessExitCode(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "exit")
	p := start(t, binDir, dir)
	exit, err := p.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, Exit{Known: true, Code: 3}, exit)
	require.Equal(t, "exit code 3", exit.String())
	require.False(t, Attach(p.ProcessRef).Alive())
}

func TestProcessThatHangsIsKilledWithItsInput(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "hang")
	p := start(t, binDir, dir)
	waitReady(t, dir)
	input := inputPID(t, dir)
	require.False(t, gone(input))

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Stop(cancelled, patience), context.Canceled)
	require.True(t, p.Alive(), "a caller that gives up does not kill")

	require.NoError(t, p.Stop(t.Context(), 100*time.Millisecond))
	require.False(t, p.Alive())
	require.True(t, gone(input))
	exit, err := p.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, syscall.SIGKILL, exit.Signal)
	require.Equal(t, "ended by signal: killed", exit.String())
}

// An input that is killed leaves its pages; it is asked, and has the time to go.
func TestTerminateLetsInputsGiveTheirPagesBack(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"leave a polite input", "hang over a polite input"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			binDir, dir := setupProcess(t, behaviour)
			p := start(t, binDir, dir)
			waitReady(t, dir)
			input, page := inputPID(t, dir), filepath.Join(dir, pageFile)
			waitFile(t, dir, pageFile)

			hangs := behaviour != "leave a polite input"
			wait := patience
			if hangs {
				wait = inputsAfter + time.Second
			}
			left, err := p.Terminate(t.Context(), wait)
			require.NoError(t, err)
			require.Equal(t, !hangs, left)
			require.Equal(t, hangs, p.Alive(), "nothing is killed")
			// It was asked; how long it takes is the machine's.
			require.Eventually(t, func() bool { return gone(input) }, patience, time.Millisecond)
			require.NoFileExists(t, page)
			require.NoError(t, p.Stop(t.Context(), 0))
			require.False(t, p.Alive())
		})
	}
}

func TestKillFindsWhatALeaderLeftBehind(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "leave input")
	p := start(t, binDir, dir)
	waitReady(t, dir)
	waitFile(t, dir, deafFile)
	input := inputPID(t, dir)
	left, err := p.Terminate(t.Context(), 100*time.Millisecond)
	require.NoError(t, err)
	require.False(t, left)
	require.Eventually(t, func() bool { return !p.Alive() }, patience, time.Millisecond)
	require.False(t, gone(input), "it ignores SIGTERM, and Mist has its turn first")
	require.NoError(t, p.Kill(t.Context()))
	require.True(t, gone(input))
	require.NoError(t, p.Kill(t.Context()))
}

// A restarted daemon takes up what an earlier run of it started.
func TestAttach(t *testing.T) {
	t.Parallel()
	for _, behaviour := range []string{"run", "hang"} {
		t.Run(behaviour, func(t *testing.T) {
			t.Parallel()
			binDir, dir := setupProcess(t, behaviour)
			out, err := exec.Command(filepath.Join(binDir, "starter"), binDir, dir).Output()
			require.NoError(t, err, string(out))
			ref, err := ParseProcessRef(string(out))
			require.NoError(t, err)
			waitReady(t, dir)

			p := Attach(ref)
			require.True(t, p.Alive())
			short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_, err = p.Wait(short)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			grace := patience
			if behaviour == "hang" {
				grace = 100 * time.Millisecond
			}
			require.NoError(t, p.Stop(t.Context(), grace))
			require.False(t, p.Alive())
			exit, err := p.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, Exit{}, exit)
			require.Equal(t, "ended in an unknown way", exit.String())
		})
	}
}

// A PID that belongs to another process by now, or to another boot.
func TestOthersAreNeverSignalled(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "run")
	p := start(t, binDir, dir)
	waitReady(t, dir)
	for name, ref := range map[string]ProcessRef{
		"started earlier": {PID: p.PID, StartTicks: p.StartTicks - 1, BootID: p.BootID},
		"another boot":    {PID: p.PID, StartTicks: p.StartTicks, BootID: "0"},
		"nothing":         {},
	} {
		stale := Attach(ref)
		require.False(t, stale.Alive(), name)
		require.NoError(t, stale.Stop(t.Context(), 0), name)
		require.NoError(t, stale.Kill(t.Context()), name)
		_, err := stale.Wait(t.Context())
		require.NoError(t, err, name)
	}
	require.True(t, p.Alive())
	require.NoError(t, p.Kill(t.Context()))
	require.False(t, p.Alive())
}

func TestFindProcesses(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "hang")
	other := filepath.Join(t.TempDir(), spec("", "").Name.String())
	require.NoError(t, os.Mkdir(other, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(other, behaviourFile), []byte("run"), 0o600))
	a, b := start(t, binDir, dir), start(t, binDir, other)
	waitReady(t, dir)
	waitReady(t, other)
	require.NoError(t, os.RemoveAll(other))

	found, err := FindProcesses(binDir)
	require.NoError(t, err)
	require.ElementsMatch(t, []RunningProcess{{a.ProcessRef, dir}, {b.ProcessRef, other}}, found)
	name, err := ParseName(filepath.Base(other))
	require.NoError(t, err)
	require.Equal(t, spec("", "").Name, name)

	for _, p := range found {
		require.NoError(t, Attach(p.ProcessRef).Stop(t.Context(), 100*time.Millisecond))
	}
	found, err = FindProcesses(binDir)
	require.NoError(t, err)
	require.Empty(t, found)
	for _, p := range []*Process{a, b} {
		_, err := p.Wait(t.Context())
		require.NoError(t, err)
	}
	_, err = FindProcesses("")
	require.ErrorIs(t, err, ErrNoProgram)
}

func TestStartProcessRefuses(t *testing.T) {
	t.Parallel()
	binDir, dir := setupProcess(t, "run")
	for name, tc := range map[string]struct {
		change func(s *ProcessSpec)
		want   string
	}{
		"no programs":       {func(s *ProcessSpec) { s.BinDir = dir }, ErrNoProgram.Error()},
		"no folder set":     {func(s *ProcessSpec) { s.BinDir = "" }, ErrNoProgram.Error()},
		"no spool folder":   {func(s *ProcessSpec) { s.Dir = filepath.Join(dir, "none") }, "no such file"},
		"no profiles":       {func(s *ProcessSpec) { s.Profiles = nil }, "no profiles"},
		"nobody to work it": {func(s *ProcessSpec) { s.Broadcasters, s.AccessToken = nil, "" }, "neither broadcasters nor an access token"},
	} {
		s := spec(binDir, dir)
		tc.change(&s)
		_, err := StartProcess(t.Context(), s)
		require.ErrorContains(t, err, tc.want, name)
		require.ErrorContains(t, err, s.Name.String(), name)
		require.NotContains(t, err.Error(), "hunter2")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := StartProcess(cancelled, spec(binDir, dir))
	require.ErrorIs(t, err, context.Canceled)
}

func TestConfigWithoutBroadcasters(t *testing.T) {
	t.Parallel()
	s := spec("", "")
	s.Broadcasters = nil
	raw, err := s.config()
	require.NoError(t, err)
	var config map[string]any
	require.NoError(t, json.Unmarshal(raw, &config))
	require.NotContains(t, config, "hardcoded_broadcasters") // an empty list would crash it
}

func TestChildEnvHoldsNothingOfOurs(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"PATH=/bin", "MIST_X=1", "TMP=/tmp"}, childEnv([]string{
		"PATH=/bin", "WEIR_SECRET_KEY=k", "AWS_SECRET_ACCESS_KEY=k", "PGPASSWORD=p", "DATABASE_URL=d", "MIST_X=1", "TMP=/tmp", "PATHOLOGY=1", "odd",
	}))
	require.Equal(t, []string{}, childEnv(nil))
}

func TestProcessRef(t *testing.T) {
	t.Parallel()
	ref := ProcessRef{PID: 4711, StartTicks: 129249, BootID: "049eb430-9521-4c08-b545-347c9d662bbc"}
	got, err := ParseProcessRef(ref.String())
	require.NoError(t, err)
	require.Equal(t, ref, got)
	for _, s := range []string{"", "1", "1:2", "1:2:", "0:1:b", "-1:1:b", "1:-1:b", "1:1:b c", "01:1:b", "x:y:z"} {
		_, err := ParseProcessRef(s)
		require.Error(t, err, s)
	}
}

func TestParseStat(t *testing.T) {
	t.Parallel()
	s, err := parseStat([]byte("4711 (a) b (c) Z 1 4711 4710 0 -1 4194304 224 0 0 0 0 0 0 0 20 0 4 0 129249 1256636416 517\n"))
	require.NoError(t, err)
	require.Equal(t, stat{comm: "a) b (c", state: "Z", session: 4710, startTicks: 129249}, s)
	require.True(t, s.zombie())
	self, err := readStat(os.Getpid())
	require.NoError(t, err)
	require.False(t, self.zombie())
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("4711 (a) b (c) Z 1 4711 4710 0 -1 4194304 224 0 0 0 0 0 0 0 20 0 4 0 129249 1256636416 517\n"))
	f.Add([]byte(")("))
	f.Fuzz(func(_ *testing.T, raw []byte) { _, _ = parseStat(raw) })
}

func TestCheckProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.ErrorIs(t, CheckProgram(dir), ErrNoProgram)
	require.ErrorIs(t, CheckProgram(""), ErrNoProgram)
	program := filepath.Join(dir, processProgram)
	require.NoError(t, os.WriteFile(program, nil, 0o600))
	require.ErrorIs(t, CheckProgram(dir), ErrNoProgram, "it can't be run")
	require.NoError(t, os.Chmod(program, 0o700))
	require.NoError(t, CheckProgram(dir))
}
