package mist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/secret"
)

const (
	processProgram = "MistProcLivepeer"

	// ProcessLogName is the file in the spool folder that takes what a process prints.
	ProcessLogName = "mistproc.log"

	// logMode: a log holds addresses of broadcasters and is nobody else's.
	logMode = 0o600

	// pollInterval is how often we look whether a process that is not our child
	// still lives; looking costs one small read.
	pollInterval = 100 * time.Millisecond

	// inputsAfter is how long a process that is asked to end may keep its inputs: they
	// are what holds memory.
	inputsAfter = 2 * time.Second

	// killTimeout is how long SIGKILL may take: more than a moment means that the
	// process hangs in the kernel, on a dead disk say, and nothing helps.
	killTimeout = 5 * time.Second
)

var (
	// ErrNoProgram: Mist's programs are not in the folder that was given.
	ErrNoProgram = errors.New("Mist's programs are not there, install MistServer or mend the setting of its folder")
	// ErrStuck: a process outlived SIGKILL.
	ErrStuck = errors.New("still there after SIGKILL, its disk or kernel hangs, look at the machine")
)

// Profile is a rendition as MistProcLivepeer asks a broadcaster for it.
type Profile struct {
	Name    string `json:"name"` // unique among the profiles
	Bitrate int    `json:"bitrate"`
	Width   int    `json:"width"` // see PlanSize for what comes of it
	Height  int    `json:"height"`
	FPS     int    `json:"fps,omitempty"`     // 0 means the source's
	FPSDen  int    `json:"fpsDen,omitempty"`  // FPS counts the frames of so many seconds; 0 means 1
	Quality int    `json:"quality,omitempty"` // constant quality, as x264's CRF, below Bitrate as the most; 0 means Bitrate
	GOP     string `json:"gop,omitempty"`     // seconds, or "intra"; "" means that of the segments
	Profile string `json:"profile,omitempty"` // H264Baseline, H264Main, H264High, H264ConstrainedHigh; "" means H264High
}

// ProcessSpec says what to transcode and with whom.
type ProcessSpec struct {
	BinDir string // where MistProcLivepeer is
	Dir    string // the attempt's spool folder: working directory and place of the log
	Name   Name   // its streams must have been added
	// Broadcasters are addresses like http://127.0.0.1:8935. Without any the API
	// at CustomURL ("" means Livepeer's) names them, which takes an AccessToken.
	Broadcasters []string
	AccessToken  secret.Secret
	CustomURL    string
	Profiles     []Profile // in the order of OrdinalOfTrack
}

// ProcessRef identifies a process across restarts of the daemon and of the
// machine: a PID is used again, but not with the same start in the same boot.
type ProcessRef struct {
	PID        int
	StartTicks uint64 // start time in clock ticks since boot
	BootID     string // of the machine's kernel
}

// String is the form that ParseProcessRef reads, to be kept in a row.
func (r ProcessRef) String() string { return fmt.Sprintf("%d:%d:%s", r.PID, r.StartTicks, r.BootID) }

// ParseProcessRef reads what String wrote.
func ParseProcessRef(s string) (ProcessRef, error) {
	var r ProcessRef
	if _, err := fmt.Sscanf(s, "%d:%d:%s", &r.PID, &r.StartTicks, &r.BootID); err != nil || r.PID <= 0 || r.String() != s {
		return ProcessRef{}, fmt.Errorf("mist: %q is no reference to a process", s)
	}
	return r, nil
}

// Exit is how a process ended. MistProcLivepeer exits with 1 when it could not
// start, and with 0 after everything else, giving up included.
type Exit struct {
	Known  bool // false for a process that was attached to: only its parent learns more
	Code   int  // meaningless where a signal ended it
	Signal syscall.Signal
}

func (e Exit) String() string {
	switch {
	case !e.Known:
		return "ended in an unknown way"
	case e.Signal != 0:
		return "ended by signal: " + e.Signal.String()
	default:
		return fmt.Sprintf("exit code %d", e.Code)
	}
}

// Process is a MistProcLivepeer, started by us or by an earlier run of the
// daemon. It is safe for concurrent use.
type Process struct {
	ProcessRef
	done chan struct{} // closed by reap; nil for one that was attached to
	exit Exit          // valid once done is closed
}

// StartProcess starts MistProcLivepeer and returns when it runs. It has a
// session of its own and prints to ProcessLogName in spec.Dir, so it outlives
// us; its configuration goes over stdin from memory, so that no token is seen
// in its arguments or on disk; its environment holds nothing of ours. It is
// reaped whenever it ends.
//
// A process that was started but not yet written down when the daemon died is
// found by FindProcesses.
func StartProcess(ctx context.Context, spec ProcessSpec) (*Process, error) {
	p, err := startProcess(ctx, spec)
	if err != nil {
		return nil, fmt.Errorf("mist: start %s for %s: %w", processProgram, spec.Name, err)
	}
	return p, nil
}

func startProcess(ctx context.Context, spec ProcessSpec) (*Process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	config, err := spec.config()
	if err != nil {
		return nil, err
	}
	program, err := programPath(spec.BinDir)
	if err != nil {
		return nil, err
	}
	boot, err := bootID()
	if err != nil {
		return nil, err
	}
	stdin, err := memoryFile(processProgram, config)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stdin.Close() }() // the child has its own
	// O_APPEND lets TrimLog cut the file under a running process.
	log, err := os.OpenFile(filepath.Join(spec.Dir, ProcessLogName), os.O_CREATE|os.O_APPEND|os.O_WRONLY, logMode)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own

	cmd := exec.Command(program, "-", "--debug", "4", "--kickoff") //nolint:noctx // it outlives us on purpose
	cmd.Dir = spec.Dir
	cmd.Env = childEnv(os.Environ())
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", ErrNoProgram, err)
		}
		return nil, err
	}
	p := &Process{ProcessRef: ProcessRef{PID: cmd.Process.Pid, BootID: boot}, done: make(chan struct{})}
	// Readable until it is reaped, so also if it ended already.
	stat, statErr := readStat(p.PID)
	p.StartTicks = stat.startTicks
	go p.reap(cmd)
	if statErr != nil {
		return nil, errors.Join(statErr, cmd.Process.Kill())
	}
	return p, nil
}

// reap waits for our child's end, so that no zombie is left.
func (p *Process) reap(cmd *exec.Cmd) {
	defer close(p.done)
	_ = cmd.Wait() // an error repeats the state, or means that there is none
	if state, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok {
		p.exit = Exit{Known: true, Code: state.ExitStatus()}
		if state.Signaled() {
			p.exit.Signal = state.Signal()
		}
	}
}

// Attach takes up a process by what was written down about it. It never fails:
// one that is gone is simply not alive.
func Attach(ref ProcessRef) *Process { return &Process{ProcessRef: ref} }

// Alive says whether the process still runs. In doubt (no descriptor free to
// look with) it says yes.
func (p *Process) Alive() bool {
	if p.done != nil {
		select {
		case <-p.done:
			return false
		default:
			return true
		}
	}
	if boot, err := bootID(); err == nil && boot != p.BootID {
		return false
	}
	stat, err := readStat(p.PID)
	if isGone(err) {
		return false
	}
	return err != nil || (stat.startTicks == p.StartTicks && !stat.zombie())
}

// Wait blocks until the process has ended, or ctx. How it ended is known of our
// own children only.
func (p *Process) Wait(ctx context.Context) (Exit, error) {
	if p.done != nil {
		select {
		case <-p.done:
			return p.exit, nil
		case <-ctx.Done():
			return Exit{}, fmt.Errorf("mist: wait for process %d: %w", p.PID, ctx.Err())
		}
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for p.Alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return Exit{}, fmt.Errorf("mist: wait for process %d: %w", p.PID, ctx.Err())
		}
	}
	return Exit{}, nil
}

// Stop ends the process and the inputs of its session, by Terminate if they go within
// grace, else by Kill: one that met a bad source ignores SIGTERM for ever.
func (p *Process) Stop(ctx context.Context, grace time.Duration) error {
	gone, err := p.Terminate(ctx, grace)
	if err != nil || gone {
		return err
	}
	return p.Kill(ctx)
}

// Terminate asks the process to end (SIGTERM), and once it is gone, or after a moment,
// the inputs of its session, and waits for patience at the most. It says whether they
// are all gone. An input that is killed leaves its pages in /dev/shm: the real one takes
// up to 3 s to give them back. Another process that got the PID since is never touched.
func (p *Process) Terminate(ctx context.Context, patience time.Duration) (gone bool, err error) {
	began := time.Now()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	alive := p.Alive()
	if alive {
		if err := sendSignal(p.PID, syscall.SIGTERM, p.isLeader); err != nil {
			return false, fmt.Errorf("mist: stop process %d: %w", p.PID, err)
		}
	}
	var inputs []int // that were told
	var member func(stat) bool
	for {
		alive = alive && p.Alive()
		inputs = slices.DeleteFunc(inputs, func(pid int) bool {
			s, err := readStat(pid)
			return isGone(err) || err == nil && !member(s)
		})
		// A look at all of the machine's processes is dear, so they are looked through only
		// where something comes of it.
		if len(inputs) == 0 && (!alive || time.Since(began) >= inputsAfter) {
			if inputs, member, err = p.members(isInput); err != nil {
				return false, fmt.Errorf("mist: stop the inputs of process %d: %w", p.PID, err)
			}
			for _, pid := range inputs {
				if err := sendSignal(pid, syscall.SIGTERM, member); err != nil {
					return false, fmt.Errorf("mist: stop input %d of process %d: %w", pid, p.PID, err)
				}
			}
		}
		if !alive && len(inputs) == 0 {
			return true, nil
		}
		if time.Since(began) >= patience {
			return false, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false, fmt.Errorf("mist: stop process %d: %w", p.PID, ctx.Err())
		}
	}
}

// isInput tells what reads a source, or feeds a stream, from the sessions beside it,
// which end by themselves.
func isInput(s stat) bool { return strings.HasPrefix(s.comm, "MistIn") }

// Kill ends the process and all of Mist that it started, at once. It also
// works when the process itself is gone and something of it hangs on. What
// outlives that is ErrStuck.
func (p *Process) Kill(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, killTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		left, err := p.killSession()
		if err != nil {
			return fmt.Errorf("mist: kill process %d: %w", p.PID, err)
		}
		if left == 0 {
			_, err := p.Wait(limited) // dead, but our own child is yet to be reaped
			return err
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			if ctx.Err() != nil {
				return fmt.Errorf("mist: kill process %d: %w", p.PID, ctx.Err())
			}
			return fmt.Errorf("mist: kill process %d: %d processes: %w", p.PID, left, ErrStuck)
		}
	}
}

// killSession kills all members once, and counts those that were there.
func (p *Process) killSession() (int, error) {
	pids, member, err := p.members(func(stat) bool { return true })
	if err != nil {
		return 0, err
	}
	for _, pid := range pids {
		if err := sendSignal(pid, syscall.SIGKILL, member); err != nil {
			return len(pids), err
		}
	}
	return len(pids), nil
}

// members lists those of the process's session that fit, itself among them, and gives
// what tells them from others that get their PIDs.
func (p *Process) members(fits func(stat) bool) (members []int, member func(stat) bool, err error) {
	if boot, err := bootID(); err != nil || boot != p.BootID {
		return nil, nil, err
	}
	leader, err := readStat(p.PID)
	switch {
	case isGone(err):
	case err != nil:
		return nil, nil, err
	case leader.startTicks != p.StartTicks:
		return nil, nil, nil // the PID is somebody else's, so the session is over
	}
	leads := err == nil
	pids, err := listPIDs()
	if err != nil {
		return nil, nil, err
	}
	// A session keeps its number after its leader. The kernel gives it to nobody
	// else meanwhile; the names guard against all being over and begun anew.
	member = func(s stat) bool {
		return s.session == p.PID && s.startTicks >= p.StartTicks && !s.zombie() &&
			(leads || strings.HasPrefix(s.comm, "Mist")) && fits(s)
	}
	for _, pid := range pids {
		if s, err := readStat(pid); err == nil && member(s) {
			members = append(members, pid)
		}
	}
	return members, member, nil
}

// isLeader tells our process from another with its PID.
func (p *Process) isLeader(s stat) bool { return s.startTicks == p.StartTicks }

// RunningProcess is a MistProcLivepeer that was found on the machine.
type RunningProcess struct {
	ProcessRef
	Dir string // its spool folder, also if that was deleted; its base is the Name's String
}

// FindProcesses lists the running MistProcLivepeer of the given folder of
// programs, whoever started them, to find those without an owner. It sees what
// the daemon's user may see.
func FindProcesses(binDir string) ([]RunningProcess, error) {
	program, err := programPath(binDir)
	if err != nil {
		return nil, fmt.Errorf("mist: find processes: %w", err)
	}
	boot, err := bootID()
	if err != nil {
		return nil, fmt.Errorf("mist: find processes: %w", err)
	}
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("mist: find processes: %w", err)
	}
	var found []RunningProcess
	for _, pid := range pids {
		// Only leaders of a session: its forks look the same. One that is gone, or
		// that is not ours to read, is none.
		s, err := readStat(pid)
		if err != nil || s.session != pid || s.zombie() {
			continue
		}
		if argv, err := readArgs(pid); err != nil || argv[0] != program {
			continue
		}
		dir, err := os.Readlink(procPath(pid, "cwd"))
		if err != nil {
			continue
		}
		found = append(found, RunningProcess{
			ProcessRef: ProcessRef{PID: pid, StartTicks: s.startTicks, BootID: boot},
			Dir:        strings.TrimSuffix(dir, " (deleted)"), // the kernel's mark
		})
	}
	return found, nil
}

// programPath is MistProcLivepeer in binDir, as it is executed and looked for.
func programPath(binDir string) (string, error) {
	if binDir == "" {
		return "", fmt.Errorf("no folder of Mist's programs is set: %w", ErrNoProgram)
	}
	dir, err := filepath.Abs(binDir)
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, processProgram), nil
}

// CheckProgram says whether MistProcLivepeer is in binDir and may be run: nil, or an
// error that is ErrNoProgram.
func CheckProgram(binDir string) error {
	program, err := programPath(binDir)
	if err != nil {
		return fmt.Errorf("mist: %w", err)
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("mist: %s: %w", program, ErrNoProgram)
	}
	return nil
}

// config is what MistProcLivepeer reads from stdin. The key is custom_url, not
// custom_api_url, and the broadcasters are a list inside a string.
func (s *ProcessSpec) config() ([]byte, error) {
	if len(s.Profiles) == 0 {
		return nil, errors.New("no profiles, give one at least")
	}
	if len(s.Broadcasters) == 0 && s.AccessToken == "" {
		return nil, errors.New("neither broadcasters nor an access token, give one of them") // it would crash without
	}
	config := struct {
		Source       string    `json:"source"`
		Sink         string    `json:"sink"`
		LeastLive    bool      `json:"leastlive"`    // from the earliest frame
		AudioSelect  string    `json:"audio_select"` // sending audio made it crash, and returned audio is masked
		Broadcasters string    `json:"hardcoded_broadcasters,omitempty"`
		AccessToken  string    `json:"access_token,omitempty"`
		CustomURL    string    `json:"custom_url,omitempty"`
		Profiles     []Profile `json:"target_profiles"`
	}{
		Source:      s.Name.Source(),
		Sink:        s.Name.Rendition(),
		LeastLive:   true,
		AudioSelect: "none",
		AccessToken: string(s.AccessToken),
		CustomURL:   s.CustomURL,
		Profiles:    s.Profiles,
	}
	if len(s.Broadcasters) > 0 {
		type broadcaster struct {
			Address string `json:"address"`
		}
		var list []broadcaster
		for _, address := range s.Broadcasters {
			list = append(list, broadcaster{Address: address})
		}
		raw, err := encode(list)
		if err != nil {
			return nil, err
		}
		config.Broadcasters = string(raw)
	}
	return encode(config)
}

// childEnv picks what a program of Mist needs of our environment: everything
// else (database, keys, tokens) stays with us. MIST* and the temporary folder
// must be those of MistController, with which it shares memory.
func childEnv(environ []string) []string {
	needed := []string{"PATH", "HOME", "USER", "LANG", "TZ", "TMP", "TEMP", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
	env := []string{} // not nil, which would mean all
	for _, pair := range environ {
		key, _, _ := strings.Cut(pair, "=")
		if slices.Contains(needed, key) || strings.HasPrefix(key, "MIST") {
			env = append(env, pair)
		}
	}
	return env
}
