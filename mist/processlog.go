package mist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
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
func TailLog(path string, n int64, secrets ...Secret) (string, error) {
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

func redact(text string, secrets []Secret) string {
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s.Reveal(), redacted)
		}
	}
	text = tokenLooks.ReplaceAllString(text, "${1}"+redacted)
	return userLooks.ReplaceAllString(text, "${1}"+redacted+"@")
}
