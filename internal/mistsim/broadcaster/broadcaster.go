// Package broadcaster is the stand-in for a Livepeer Broadcaster: a gateway that
// takes segments of MPEG-TS and one orchestrator with a transcoder without GPU. It
// answers with one part per profile, and does to them what the real one was
// measured to do: sizes by its own formula (size.go), frames moved to a grid
// (grid.go), B-frames (encode.go), refusals (refusal.go), one segment at a time
// per manifest and no patience for slow ones (session.go). A real MistProcLivepeer
// can use it as well.
//
// It is nastier in three ways: it takes no MP4, has only one orchestrator, and
// gives no rendition of a codec other than H.264.
package broadcaster

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// FaultsPath is where faults are read (GET) and replaced (POST).
	FaultsPath = "/faults"

	// What a real one has where nothing else is said.
	defaultManifests     = 10
	defaultManifestLife  = time.Minute
	defaultLeastInFlight = 1500 * time.Millisecond
	defaultTimeout       = 8 * time.Second
)

// Config says how to transcode. Zero fields mean the documented default.
type Config struct {
	// FFmpeg is the encoder's path; default "ffmpeg" from PATH.
	FFmpeg string
	// Preset is libx264's; default ultrafast, where the real one has medium.
	Preset string
	// MaxRunning bounds the segments in work, of all manifests; default two per
	// CPU. More wait.
	MaxRunning int
	// HEVC makes it take HEVC, as a transcoder with a GPU may.
	HEVC bool
	// MaxManifests is how many the gateway keeps; default 10.
	MaxManifests int
	// ManifestLife is how long one is kept after its last segment; default 60 s.
	ManifestLife time.Duration
	// MaxSessions is how many of them the orchestrator takes; default all.
	MaxSessions int
	// LeastInFlight is how long any segment may be under way before its
	// orchestrator counts as slow; default 1.5 s, and twice the segment's length
	// where that is more.
	LeastInFlight time.Duration
	// Timeout is when a segment is given up; default 8 s, and four times its
	// length where that is more.
	Timeout time.Duration
	// Now is the clock of ManifestLife and LeastInFlight; default time.Now.
	Now func() time.Time
	// Log takes one line per segment; default none.
	Log *slog.Logger
}

// withDefaults checks that ffmpeg is there.
func (c Config) withDefaults() (*Config, error) {
	path, err := exec.LookPath(cmp.Or(c.FFmpeg, "ffmpeg"))
	if err != nil {
		return nil, fmt.Errorf("broadcaster needs ffmpeg (apt-get install ffmpeg): %w", err)
	}
	c.FFmpeg = path
	c.Preset = cmp.Or(c.Preset, "ultrafast")
	c.MaxRunning = cmp.Or(c.MaxRunning, 2*runtime.NumCPU())
	c.MaxManifests = cmp.Or(c.MaxManifests, defaultManifests)
	c.ManifestLife = cmp.Or(c.ManifestLife, defaultManifestLife)
	c.MaxSessions = cmp.Or(c.MaxSessions, c.MaxManifests)
	c.LeastInFlight = cmp.Or(c.LeastInFlight, defaultLeastInFlight)
	c.Timeout = cmp.Or(c.Timeout, defaultTimeout)
	c.Log = cmp.Or(c.Log, slog.New(slog.DiscardHandler))
	if c.Now == nil {
		c.Now = time.Now
	}
	return &c, nil
}

// Broadcaster serves /live/{manifest}/{n}.ts and its control endpoint. It is an
// http.Handler and safe for concurrent use.
type Broadcaster struct {
	cfg      *Config
	mux      *http.ServeMux
	gateway  *gateway
	slots    chan struct{}
	running  context.Context //nolint:containedctx // segments outlive their requests, as the real one's do
	stop     context.CancelFunc
	segments atomic.Int64

	mu     sync.Mutex
	faults Faults
}

// New checks that ffmpeg is there.
func New(cfg *Config) (*Broadcaster, error) {
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	b := &Broadcaster{
		cfg: c, mux: http.NewServeMux(), slots: make(chan struct{}, c.MaxRunning),
		gateway: &gateway{cfg: c, manifests: map[string]*manifest{}},
	}
	b.running, b.stop = context.WithCancel(context.Background())
	b.mux.HandleFunc("/live/{id}/{segment}", b.servePost)
	b.mux.HandleFunc("/live/", b.servePost) // where no segment is named, none has the right extension
	b.mux.HandleFunc("GET "+FaultsPath, b.serveFaults)
	b.mux.HandleFunc("POST "+FaultsPath, b.serveFaults)
	return b, nil
}

// ServeHTTP answers one request. It returns when the segment's transcode is over,
// even if the client has left before: Config.Timeout bounds that.
func (b *Broadcaster) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// Segments is how many segments were transcoded and answered.
func (b *Broadcaster) Segments() int64 { return b.segments.Load() }

// Close ends what is in work. Requests that come later fail. Idempotent.
func (b *Broadcaster) Close() { b.stop() }
