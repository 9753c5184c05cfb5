package footage

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// A Case is a file of some kind, and what is right for it.
type Case struct {
	Kind string
	Name string // of the file
	Truth
	// FPS is asked for in a profile beside those at the source's rate; 0 for none.
	FPS float64

	write func(ctx context.Context, dir, path string) error
}

// Make writes the file into an existing folder and returns its path.
func (c *Case) Make(ctx context.Context, dir string) (string, error) {
	path, err := filepath.Abs(filepath.Join(dir, c.Name))
	if err != nil {
		return "", err
	}
	parts, err := os.MkdirTemp(dir, "parts-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(parts) }() // the folder around it goes anyway
	if err := c.write(ctx, parts, path); err != nil {
		return "", fmt.Errorf("make %s: %w", c.Name, err)
	}
	return path, nil
}

// Cases are all of them, two or more of each kind.
func Cases() []Case {
	return slices.Concat(plain(), rates(), timestamps(), joins(), geometry(), tracks(), sounds(), codecs(), damage(), refused())
}

// with changes a case.
func with(c Case, changes ...func(*Case)) Case {
	for _, change := range changes {
		change(&c)
	}
	return c
}

func fps(fps float64) func(*Case)       { return func(c *Case) { c.FPS = fps } }
func aspect(aspect float64) func(*Case) { return func(c *Case) { c.Aspect = aspect } }
func kept(keep func(n int) bool) func(*Case) {
	return func(c *Case) { c.Numbers = only(c.Numbers, keep) }
}
func step(n int, seconds float64) func(*Case) {
	return func(c *Case) {
		if c.Steps == nil {
			c.Steps = map[int]float64{}
		}
		c.Steps[n] += seconds
	}
}
func late(seconds float64) func(*Case) { return func(c *Case) { c.Sound.Late = seconds } }

// broken says that the file's own times are not to be believed.
func broken(c *Case) { c.Decodes = false }

func only(numbers []int, keep func(int) bool) []int {
	return slices.DeleteFunc(slices.Clone(numbers), func(n int) bool { return !keep(n) })
}

// encoded is a shot, encoded with these arguments of ffmpeg.
func encoded(kind, name string, s shot, args string, changes ...func(*Case)) Case {
	c := Case{Kind: kind, Name: name, Truth: s.truth()}
	c.write = func(ctx context.Context, dir, path string) error {
		return ffmpeg(ctx, dir, append(append(s.inputs(), words(args)...), path)...)
	}
	return with(c, changes...)
}

// copied is a shot that is encoded into a file named first, and copied with these arguments.
func copied(kind, name, first string, s shot, encode, args string, changes ...func(*Case)) Case {
	c := Case{Kind: kind, Name: name, Truth: s.truth()}
	c.write = func(ctx context.Context, dir, path string) error {
		if err := ffmpeg(ctx, dir, append(append(s.inputs(), words(encode)...), first)...); err != nil {
			return err
		}
		return ffmpeg(ctx, dir, append(words(args), path)...)
	}
	return with(c, changes...)
}

// patched is a shot that is encoded into a file named first, whose bytes are changed.
func patched(kind, name, first string, s shot, encode string, patch func(data []byte) ([]byte, error), changes ...func(*Case)) Case {
	c := Case{Kind: kind, Name: name, Truth: s.truth()}
	c.write = func(ctx context.Context, dir, path string) error {
		if err := ffmpeg(ctx, dir, append(append(s.inputs(), words(encode)...), first)...); err != nil {
			return err
		}
		data, err := os.ReadFile(filepath.Join(dir, first))
		if err != nil {
			return err
		}
		if data, err = patch(data); err != nil {
			return err
		}
		return os.WriteFile(path, data, 0o600)
	}
	return with(c, changes...)
}

const (
	noB = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p "
	aac = "-c:a aac -b:a 128k "
)

// withB has as many B-frames in a row as it may.
func withB(n int) string {
	return fmt.Sprintf("-c:v libx264 -preset veryfast -pix_fmt yuv420p -bf %d -b_strategy 0 ", n)
}

const (
	cd    = 44100
	video = 48000
)
