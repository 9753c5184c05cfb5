package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/secret"
)

// clip is a source: what ffmpeg makes it with. Its name decides the container.
type clip struct {
	name string
	args string
	// remux is for what can only be done to a file that is there.
	remux string
}

const (
	picture = "-f lavfi -i testsrc2=size=320x180:rate=30:duration=2 "
	tone    = "-f lavfi -i sine=frequency=440:sample_rate=48000:duration=2 "
	// x264 has a keyframe every second, the shortest that Livepeer cuts at.
	x264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -sc_threshold 0 "
	aac  = "-c:a aac "
)

// plain is the source of tests that are about something else.
func plain() clip { return clip{name: "plain.mp4", args: picture + tone + x264 + aac} }

// long takes some seconds in Mist.
func long() clip {
	return clip{name: "long.mp4", args: strings.ReplaceAll(plain().args, "duration=2", "duration=6")}
}

// file makes the clip and returns its path.
func (c clip) file(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	made := filepath.Join(dir, c.name)
	ffmpeg(t, c.args+made)
	if c.remux == "" {
		return made
	}
	again := filepath.Join(dir, "again-"+c.name)
	ffmpeg(t, "-i "+made+" "+c.remux+" "+again)
	return again
}

func ffmpeg(t *testing.T, args string) {
	t.Helper()
	program, err := exec.LookPath("ffmpeg")
	require.NotErrorIs(t, err, devstack.ErrNoFFmpeg)
	cmd := exec.CommandContext(t.Context(), program, strings.Fields("-nostdin -loglevel error -y "+args)...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", bytes.TrimSpace(out))
}

// source makes the clip, uploads it, and returns its address and what is in it.
func (b *testBundle) source(t *testing.T, c clip) (secret.Secret, devstack.Facts) {
	t.Helper()
	local := c.file(t)
	facts, err := devstack.Probe(b.ctx, local)
	require.NoError(t, err)
	return b.upload(t, local, c.name), facts
}

// upload puts a local file among the test's objects.
func (b *testBundle) upload(t *testing.T, local, name string) secret.Secret {
	t.Helper()
	address, err := b.Upload(b.ctx, local, path.Join(b.prefix, "in", name))
	require.NoError(t, err)
	return address
}

// missing is the address of an object that is not there: the quickest failure.
func (b *testBundle) missing(t *testing.T) secret.Secret {
	t.Helper()
	return b.object(t, "in/missing.mp4")
}

// object is the address of one of the test's objects, whether it is there or not.
func (b *testBundle) object(t *testing.T, name string) secret.Secret {
	t.Helper()
	address, err := b.S3.URL(b.Bucket, path.Join(b.prefix, name))
	require.NoError(t, err)
	return address
}

// sized is a profile with the size in its name.
func sized(name string, width, height int) devstack.Profile {
	return devstack.Profile{Name: fmt.Sprintf("%s-%dx%d", name, width, height), Width: width, Height: height, Bitrate: 200_000}
}
