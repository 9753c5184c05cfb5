package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// stderrTail is how much of a tool's complaints is kept: enough for its last dozen lines.
	stderrTail = 2 << 10

	// killGrace is how long a killed tool's pipes may stay open before they are closed under it.
	killGrace = 2 * time.Second

	// formats are the demuxers that hold their media themselves. Playlists (hls, dash, concat) are
	// left out: they make ffmpeg open whatever file or address an attacker names.
	formats = "mpegts,mov,matroska,webm,flv,live_flv,mpeg,avi,mxf,ogg,asf,wav,mp3,aac,h264,hevc,mpegvideo,m4v,ivf,obu,av1,nut,gxf,rm,dv,wtv,y4m,yuv4mpegpipe"
)

// Tools are the two programs that this package runs. The zero value finds them in PATH. A Tools is
// safe for use by many goroutines.
//
// All its methods block until their child processes are gone; a context that ends kills them.
type Tools struct {
	FFmpeg  string // path or name, default "ffmpeg"
	FFprobe string // path or name, default "ffprobe"

	sounds   turns
	statings statings
}

// Check says whether both programs are there, without running them. Its error (CodeToolMissing)
// names the one that is not and the command that mends it.
func (t *Tools) Check() error {
	for _, name := range []string{t.ffmpeg(), t.ffprobe()} {
		if _, err := exec.LookPath(name); err != nil {
			return missing(name, err)
		}
	}
	return nil
}

func (t *Tools) ffmpeg() string {
	if t.FFmpeg != "" {
		return t.FFmpeg
	}
	return "ffmpeg"
}

func (t *Tools) ffprobe() string {
	if t.FFprobe != "" {
		return t.FFprobe
	}
	return "ffprobe"
}

func missing(name string, err error) error {
	return &Error{
		Code: CodeToolMissing, Op: "start", Path: name,
		Text: "the program cannot be started; run: apt-get install ffmpeg", Err: err,
	}
}

// input is the arguments that open one local file, and nothing but it. The file: prefix keeps a
// name such as -x.mp4 or concat:a|b from meaning anything else.
func input(path string) ([]string, error) { return inputAhead(path, lookAheadUS) }

// inputAhead is input for a file whose tracks all begin within so many microseconds: a program need
// not look further for others.
func inputAhead(path string, us int64) ([]string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", path, err)
	}
	return append(ahead(us), "-protocol_whitelist", "file", "-format_whitelist", formats, "-i", "file:"+abs), nil
}

// ahead is how far a program looks for a file's tracks.
func ahead(us int64) []string {
	return []string{"-analyzeduration", strconv.FormatInt(us, 10), "-probesize", strconv.Itoa(lookAheadBytes)}
}

// Input is the arguments that open one local file for Run, and nothing but it.
func Input(path string) ([]string, error) { return input(path) }

// Run runs ffmpeg to its end for the packages below this one. Its error has the last words of
// ffmpeg, or is an *Error where the machine is to blame, or the context's.
func (t *Tools) Run(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	return run(ctx, t.ffmpeg(), stdin, stdout, args...)
}

// A failure is a tool that ran and ended with an exit code of its own. Whose fault it is, its
// caller knows.
type failure struct {
	tool string
	code int
	tail string
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s exited %d: %s", filepath.Base(f.tool), f.code, f.tail)
}

// run runs one tool to its end. Its error is a *failure, an *Error where the machine is to blame,
// or the context's.
func run(ctx context.Context, tool string, stdin io.Reader, stdout io.Writer, args ...string) error {
	return runWith(ctx, tool, stdout, func(cmd *exec.Cmd) { cmd.Stdin = stdin }, args...)
}

// runWith is run with something more of the command set.
func runWith(ctx context.Context, tool string, stdout io.Writer, set func(*exec.Cmd), args ...string) error {
	out := &sink{w: stdout}
	complaints := &tail{limit: stderrTail}
	cmd := exec.CommandContext(ctx, tool, args...)
	cmd.Env = environment()
	cmd.Stdout, cmd.Stderr = out, complaints
	cmd.WaitDelay = killGrace
	set(cmd)
	err := cmd.Run()

	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: %w", filepath.Base(tool), context.Cause(ctx))
	case out.err != nil: // it also made the tool fail, so it comes first
		return out.err
	case err == nil:
		return nil
	case !errors.As(err, &exit):
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return missing(tool, err)
		}
		return fmt.Errorf("run %s: %w", filepath.Base(tool), err)
	case exit.ExitCode() < 0:
		return &Error{
			Code: CodeToolKilled, Op: "run", Path: tool,
			Text: "the program was killed, by the kernel for want of memory or by hand", Err: err,
		}
	default:
		return &failure{tool: tool, code: exit.ExitCode(), tail: complaints.String()}
	}
}

// environment is what the children see: nothing of ours, where secrets are.
func environment() []string {
	env := []string{"LC_ALL=C"}
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// A sink remembers why writing failed: exec prefers the exit code of the child that this broke.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil {
		s.err = err
	}
	return n, err
}

// A tail keeps the end of what is written to it, however long its lines.
type tail struct {
	limit int
	kept  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-t.limit):]...)
	if over := len(t.kept) - t.limit; over > 0 {
		t.kept = t.kept[:copy(t.kept, t.kept[over:])]
	}
	return len(p), nil
}

func (t *tail) String() string {
	return strings.ToValidUTF8(string(bytes.TrimSpace(t.kept)), "?")
}

// blame gives a failure its place: errors that already have one, and ends of contexts, pass; a full
// disk is told apart; the rest is what the caller says.
func blame(err error, otherwise *Error) error {
	var known *Error
	var ran *failure
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s %s: %w", otherwise.Op, otherwise.Path, err)
	case errors.As(err, &known):
		return fmt.Errorf("%s %s: %w", otherwise.Op, otherwise.Path, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return &Error{
			Code: CodeSpoolFull, Op: otherwise.Op, Path: otherwise.Path,
			Text: "the spool's disk is full; free some room or give the spool more", Err: err,
		}
	case errors.As(err, &ran):
		otherwise.Err = err
		return otherwise
	default:
		return &Error{
			Code: CodeSpoolUnreadable, Op: otherwise.Op, Path: otherwise.Path,
			Text: "a file in the spool cannot be read or written", Err: err,
		}
	}
}
