package mist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"weir/secret"
)

// TrimLog cuts the log at path down to half of limit when it is larger than
// limit bytes, keeping the newest lines. The process may go on writing: it
// appends, so cutting in place is safe, but lines of that very moment may be lost.
func TrimLog(path string, limit int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return fmt.Errorf("mist: trim log: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() > limit {
		var tail []byte
		if tail, err = tailOf(f, info.Size(), limit/2); err == nil {
			if err = f.Truncate(0); err == nil {
				_, err = f.Write(tail)
			}
		}
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("mist: trim log %s: %w", path, err)
	}
	return nil
}

// TailLog returns whole lines from the end of the log at path, n bytes at most,
// fit to be shown: the given secrets, and what looks like one, are replaced.
func TailLog(path string, n int64, secrets ...secret.Secret) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("mist: read log: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("mist: read log: %w", err)
	}
	tail, err := tailOf(f, info.Size(), n)
	if err != nil {
		return "", fmt.Errorf("mist: read log %s: %w", path, err)
	}
	return redact(strings.ToValidUTF8(string(tail), "�"), secrets), nil
}

// ProcessLog is what a process's log says of how it goes.
type ProcessLog struct {
	// Hung: its source thread has ended before it began, or its renditions have no buffer, and
	// nothing will ever come.
	Hung bool
	// Reading: its source thread reads.
	Reading bool
	// Posted: a segment went to a Broadcaster, whatever came of it.
	Posted bool
	// GaveUp: too many posts failed, or there is no Broadcaster.
	GaveUp bool
	// Full: it gave up on a Broadcaster that has no room: 503, or 500 where nothing came
	// back before (Could not create stream ID). The log has no more than the status; the
	// Broadcaster's other 500s are for what we never send.
	Full bool
	// Rejected is the status of the last segment that a Broadcaster would not have,
	// "422 Unprocessable Entity" mostly, or "". Such a segment is left out.
	Rejected string
}

// logEnds is how much of a long log is read at its beginning and at its end: the start
// and the end of a process are told in far less.
const logEnds = 256 << 10

// What a Broadcaster without room answers.
const (
	noStream = "500"
	busy     = "503"
)

// mostTries is how many failed posts of one segment are told: five, and then the process
// gives up; livepeer's tree is gone before it tells of the last one.
const mostTries = 4

// The lines that tell, the same in both trees; inputs print into the log too (process_livepeer.cpp, comms.cpp, procs.cpp).
var (
	hungLines    = regexp.MustCompile(processProgram + `[^\n]*(?:Could not start process \S*MistSession|Cannot connect to session|Timeout waiting for source thread to boot!|Could not start buffer, cancelling)`)
	readingLine  = regexp.MustCompile(`Seeking to earliest point in stream`)
	postedLines  = regexp.MustCompile(`Initializing track \d+ as|Uploaded \d+ bytes|Failed to upload \d+ bytes|Rejected upload of \d+ bytes|Post to \S+ timed out|Non-multipart response`)
	gaveUpLines  = regexp.MustCompile(`too many upload failures|no Livepeer broadcasters available|No Livepeer broadcasters available|Livepeer API (?:responded negatively|did not respond)`)
	failedPost   = regexp.MustCompile(`Failed to upload \d+ bytes to (\S+) in [0-9.]+ ms(?:: (\d+))?`)
	rejectedPost = regexp.MustCompile(`Rejected upload of \d+ bytes to \S+ after [0-9.]+ ms: (\d+[^(\n]*)`)
	returnedLine = regexp.MustCompile(`Initializing track \d+ as`)
)

// ReadProcessLog reads a process's log. One that is not there says nothing.
func ReadProcessLog(path string) (ProcessLog, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ProcessLog{}, nil
	}
	if err != nil {
		return ProcessLog{}, fmt.Errorf("mist: read log: %w", err)
	}
	defer func() { _ = f.Close() }() // only read
	text, err := io.ReadAll(io.LimitReader(f, logEnds))
	if err != nil {
		return ProcessLog{}, fmt.Errorf("mist: read log %s: %w", path, err)
	}
	info, err := f.Stat()
	if err != nil {
		return ProcessLog{}, fmt.Errorf("mist: read log %s: %w", path, err)
	}
	if info.Size() > int64(len(text)) {
		tail, err := tailOf(f, info.Size(), min(logEnds, info.Size()-int64(len(text))))
		if err != nil {
			return ProcessLog{}, fmt.Errorf("mist: read log %s: %w", path, err)
		}
		text = append(append(text, '\n'), tail...)
	}
	return parseProcessLog(text), nil
}

func parseProcessLog(text []byte) ProcessLog {
	l := ProcessLog{
		Hung: hungLines.Match(text), Reading: readingLine.Match(text),
		Posted: postedLines.Match(text), GaveUp: gaveUpLines.Match(text),
	}
	failed, tries := failedPost.FindAllSubmatch(text, -1), map[string]int{}
	for _, post := range failed {
		tries[string(post[1])]++
		l.GaveUp = l.GaveUp || tries[string(post[1])] >= mostTries
	}
	if l.GaveUp && len(failed) > 0 {
		status := string(failed[len(failed)-1][2])
		l.Full = status == busy || status == noStream && !returnedLine.Match(text)
	}
	if rejected := rejectedPost.FindAllSubmatch(text, -1); len(rejected) > 0 {
		l.Rejected = strings.TrimSpace(string(rejected[len(rejected)-1][1]))
	}
	return l
}

// SetLogAside keeps the log of a process that has ended beside that of the next one in
// the same folder.
func SetLogAside(path string) error {
	if err := os.Rename(path, path+".before"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("mist: set log aside: %w", err)
	}
	return nil
}

// tailOf reads the last n bytes of a file of the given size, from a line's
// start on where there is one. A file that shrinks meanwhile gives less.
func tailOf(f *os.File, size, n int64) ([]byte, error) {
	if size <= n {
		n = size
	}
	// One byte more shows whether the first line is whole.
	from := max(size-n-1, 0)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, size-from))
	if err != nil {
		return nil, err
	}
	if size > n && len(tail) > 0 {
		if i := bytes.IndexByte(tail, '\n'); i >= 0 && i+1 < len(tail) {
			tail = tail[i+1:]
		} else {
			tail = tail[1:] // one line longer than n
		}
	}
	return tail, nil
}

// What may hold a secret that we were not told of: tokens in JSON or headers,
// and the user part of a URL.
var (
	tokenLooks = regexp.MustCompile(`(?i)(access_token\\*"?\s*[:=]\s*\\*"?|bearer\s+)[^\s"\\]+`)
	userLooks  = regexp.MustCompile(`(://)[^\s"]+@`)
)

func redact(text string, secrets []secret.Secret) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, string(s), secret.Redacted)
		}
	}
	text = tokenLooks.ReplaceAllString(text, "${1}"+secret.Redacted)
	return userLooks.ReplaceAllString(text, "${1}"+secret.Redacted+"@")
}
