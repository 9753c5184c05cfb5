// Package broadcaster is the stand-in for a Livepeer Broadcaster: it takes a
// segment of MPEG-TS, transcodes it with ffmpeg and answers with one part per
// profile. A real MistProcLivepeer can use it as well.
package broadcaster

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxSegment bounds an upload: a 30 s segment at 60 Mb/s.
	maxSegment = 256 << 20
	// maxProfiles bounds what one segment may be asked for.
	maxProfiles = 16
	// FaultsPath is where faults are read (GET) and replaced (POST).
	FaultsPath = "/faults"
)

// Config says how to transcode. Zero fields mean the documented default.
type Config struct {
	// FFmpeg is the encoder's path; default "ffmpeg" from PATH.
	FFmpeg string
	// Preset is libx264's; default ultrafast.
	Preset string
	// MaxRunning bounds the segments in work; default two per CPU. More wait.
	MaxRunning int
	// Log takes one line per segment; default none.
	Log *slog.Logger
}

// Broadcaster serves POST /live/{id}/{n}.ts and its control endpoint. It is an
// http.Handler and safe for concurrent use.
type Broadcaster struct {
	cfg      Config
	mux      *http.ServeMux
	slots    chan struct{}
	segments atomic.Int64

	mu     sync.Mutex
	faults Faults
}

// New checks that ffmpeg is there.
func New(cfg *Config) (*Broadcaster, error) {
	c := *cfg
	if c.FFmpeg == "" {
		c.FFmpeg = "ffmpeg"
	}
	path, err := exec.LookPath(c.FFmpeg)
	if err != nil {
		return nil, fmt.Errorf("broadcaster needs ffmpeg (apt-get install ffmpeg): %w", err)
	}
	c.FFmpeg = path
	if c.Preset == "" {
		c.Preset = "ultrafast"
	}
	if c.MaxRunning == 0 {
		c.MaxRunning = 2 * runtime.NumCPU()
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	b := &Broadcaster{cfg: c, mux: http.NewServeMux(), slots: make(chan struct{}, c.MaxRunning)}
	b.mux.HandleFunc("POST /live/{id}/{segment}", b.serveSegment)
	b.mux.HandleFunc("GET "+FaultsPath, b.serveFaults)
	b.mux.HandleFunc("POST "+FaultsPath, b.serveFaults)
	return b, nil
}

// ServeHTTP answers one request.
func (b *Broadcaster) ServeHTTP(w http.ResponseWriter, r *http.Request) { b.mux.ServeHTTP(w, r) }

// Segments is how many segments were transcoded and answered.
func (b *Broadcaster) Segments() int64 { return b.segments.Load() }

// Profile is one requested rendition.
type Profile struct {
	Name    string  `json:"name"`
	Bitrate int     `json:"bitrate"` // bits a second
	Width   int     `json:"width"`
	Height  int     `json:"height"`
	FPS     float64 `json:"fps"`
	FPSDen  float64 `json:"fpsDen"` // 0 means 1
	GOP     string  `json:"gop"`    // seconds, "intra", or "0.0" for the source's
}

// rate is the profile's frames a second, 0 for the source's.
func (p *Profile) rate() float64 {
	if p.FPSDen > 0 {
		return p.FPS / p.FPSDen
	}
	return p.FPS
}

var errProfiles = errors.New("no usable profiles in Livepeer-Transcode-Configuration")

func profilesOf(r *http.Request) ([]Profile, error) {
	var in struct {
		Profiles []Profile `json:"profiles"`
	}
	if err := json.Unmarshal([]byte(r.Header.Get("Livepeer-Transcode-Configuration")), &in); err != nil {
		return nil, fmt.Errorf("%w: %w", errProfiles, err)
	}
	if len(in.Profiles) == 0 || len(in.Profiles) > maxProfiles {
		return nil, fmt.Errorf("%w: %d of them, want 1 to %d", errProfiles, len(in.Profiles), maxProfiles)
	}
	for _, p := range in.Profiles {
		if p.Name == "" || p.Width <= 0 || p.Height <= 0 || p.Width%2 != 0 || p.Height%2 != 0 {
			return nil, fmt.Errorf("%w: %q is %dx%d, want a name and an even size", errProfiles, p.Name, p.Width, p.Height)
		}
	}
	return in.Profiles, nil
}

func (b *Broadcaster) serveSegment(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	name := r.PathValue("id") + "/" + r.PathValue("segment")
	profiles, err := profilesOf(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxSegment))
	if err != nil {
		http.Error(w, fmt.Sprintf("segment %s: %v", name, err), http.StatusBadRequest)
		return
	}
	fault := b.nextFault(name)
	if fault.before(w, r) {
		return
	}
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-r.Context().Done():
		return
	}
	renditions, err := b.transcode(r.Context(), data, profiles)
	if err != nil {
		if r.Context().Err() == nil {
			b.cfg.Log.Warn("segment not transcoded", "segment", name, "error", err)
		}
		http.Error(w, fmt.Sprintf("segment %s: %v", name, err), http.StatusUnprocessableEntity)
		return
	}
	fault.spoil(renditions)
	b.segments.Add(1)
	b.cfg.Log.Info("segment", "segment", name, "bytes", len(data), "profiles", len(profiles), "took", time.Since(began))
	if err := reply(w, profiles, renditions, fault); err != nil {
		b.cfg.Log.Debug("segment not delivered", "segment", name, "error", err)
	}
}

// reply writes a multipart/mixed answer, the parts in the order of the
// profiles. Mist takes the boundary as it stands, up to the header's end, so it
// is the last parameter and has no quotes.
func reply(w http.ResponseWriter, profiles []Profile, renditions [][]byte, fault Faults) error {
	parts := multipart.NewWriter(w)
	kind := "multipart/mixed; boundary=" + parts.Boundary()
	if fault.Mode == ModeContentType {
		kind = "text/plain"
	}
	if fault.Mode == ModeFewer {
		profiles = profiles[:len(profiles)-1]
	}
	w.Header().Set("Content-Type", kind)
	for i, p := range profiles {
		part, err := parts.CreatePart(textproto.MIMEHeader{
			"Content-Type":        {"video/mp2t"},
			"Content-Length":      {strconv.Itoa(len(renditions[i]))},
			"Content-Disposition": {fmt.Sprintf("attachment; filename=%q", strings.ReplaceAll(p.Name, `"`, "")+".ts")},
			"Rendition-Name":      {p.Name},
		})
		if err != nil {
			return err
		}
		if _, err := part.Write(renditions[i]); err != nil {
			return err
		}
	}
	return parts.Close()
}
