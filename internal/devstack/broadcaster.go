package devstack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"weir/internal/devstack/child"
)

const (
	// broadcasterStart bounds its start: 0.1 s on an idle machine.
	broadcasterStart = time.Minute
	// manyManifests is room for all transcodes of a test run: a gateway has ten, and
	// keeps each for a minute, which would have tests wait for each other.
	manyManifests = 1000
	// manifestLife is longer than the pause between two segments of a slow transcode.
	manifestLife = 10 * time.Second
	// unhurried is how late it may be before it turns segments away: on a machine whose
	// cores are all busy its encoders are late by themselves.
	unhurried = time.Minute
)

// Broadcaster is a stand-in Livepeer Broadcaster.
type Broadcaster struct {
	// URL is its address, as WEIR_BROADCASTERS has it; Log is the path of its log file.
	URL, Log string
	proc     *child.Child
}

// BroadcasterConfig says where a stand-in Broadcaster lives.
type BroadcasterConfig struct {
	// Dir is an existing folder for its log.
	Dir string
	// BinDir holds the broadcaster program (`make build`).
	BinDir string
	// MaxManifests is how many streams it takes at once; default manyManifests.
	MaxManifests int
	// ManifestLife is how long it keeps one after its last segment; default manifestLife.
	ManifestLife time.Duration
	// LeastInFlight is how long any segment may take before it answers 503 to the next;
	// default unhurried.
	LeastInFlight time.Duration
	// Flags are more of the program's, say "-hevc".
	Flags []string
}

// StartBroadcaster starts a stand-in. It returns when it answers.
func StartBroadcaster(ctx context.Context, cfg *BroadcasterConfig) (*Broadcaster, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, broadcasterStart, fmt.Errorf("the broadcaster did not start within %s", broadcasterStart))
	defer cancel()
	program, err := findProgram(cfg.BinDir, "broadcaster")
	if err != nil {
		return nil, err
	}
	flags := append([]string{
		"-v", "-max-manifests", strconv.Itoa(cmp.Or(cfg.MaxManifests, manyManifests)),
		"-manifest-life", cmp.Or(cfg.ManifestLife, manifestLife).String(),
		"-least-in-flight", cmp.Or(cfg.LeastInFlight, unhurried).String(), "-timeout", unhurried.String(),
	}, cfg.Flags...)
	return child.OnFreePort(ctx, func(port int) (*Broadcaster, error) {
		cmd := exec.Command(program, append([]string{"-listen", child.HostPort(port)}, flags...)...) //nolint:noctx // lives until Close, not until a context ends
		cmd.Dir = cfg.Dir
		proc, err := child.Start("broadcaster", filepath.Join(cfg.Dir, "broadcaster.log"), cmd, syscall.SIGTERM)
		if err != nil {
			return nil, err
		}
		b := &Broadcaster{URL: "http://" + child.HostPort(port), Log: proc.Log, proc: proc}
		if err := proc.Ready(ctx, func(ctx context.Context) error { return getOK(ctx, b.URL+"/faults") }); err != nil {
			return nil, errors.Join(err, b.Close())
		}
		return b, nil
	})
}

// Faults tells it to misbehave; JSON as the broadcaster package has it.
func (b *Broadcaster) Faults(ctx context.Context, faults string) error {
	return postJSON(ctx, b.URL+"/faults", faults)
}

// Close ends it. Idempotent.
func (b *Broadcaster) Close() error { return b.proc.Stop(syscall.SIGTERM) }
