package broadcaster

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// configHeader carries the profiles.
	configHeader = "Livepeer-Transcode-Configuration"
	// maxProfiles is how many outputs an orchestrator makes of a segment.
	maxProfiles = 10
	// minBitrate is one of libx264's thousands; below it and above 0 the encoder
	// does not open. maxBitrate is where the number turns negative.
	minBitrate = 1000
	maxBitrate = math.MaxInt32
	// maxFPS bounds a rate's two numbers, so that times can be multiplied by them.
	maxFPS = 1 << 24
	// maxBFrames follow each other where a profile allows any.
	maxBFrames = 3
	// gopIntra is the name of a stream of keyframes only.
	gopIntra = "intra"
)

// Profile is one requested rendition, as the header spells it.
type Profile struct {
	Name    string `json:"name"`
	Bitrate int    `json:"bitrate"` // bits a second, 0 for the encoder's own
	Width   int    `json:"width"`
	Height  int    `json:"height"`
	FPS     uint   `json:"fps"`               // 0 keeps the source's times
	FPSDen  uint   `json:"fpsDen"`            // 0 means 1
	GOP     string `json:"gop"`               // seconds, or "intra"
	Profile string `json:"profile,omitempty"` // H264High and the like
	Encoder string `json:"encoder,omitempty"` // H.264, HEVC, VP8 or VP9
}

// What a profile may name, lower case (LPMS, EncoderProfileLookup), with the
// encoder's word for it.
var h264Profiles = map[string]string{
	"": "", "none": "", "h264baseline": "baseline", "h264main": "main", "h264high": "high", "h264constrainedhigh": "high",
}

// encoders that have a name, and whether orchestrators have them (LPMS, VideoCodecName).
var encoders = map[string]bool{"": true, "H.264": true, "HEVC": false, "VP8": false, "VP9": false}

// defaultProfiles is what comes for no header and for one that says nothing of profiles.
var defaultProfiles = []Profile{
	{Name: "P240p30fps16x9", Bitrate: 600_000, Width: 426, Height: 240, FPS: 30},
	{Name: "P360p30fps16x9", Bitrate: 1_200_000, Width: 640, Height: 360, FPS: 30},
}

// JsonProfile is a Profile; texts about bad JSON name the type, as the real one's do.
type JsonProfile Profile //nolint:staticcheck // spelt as in the real one

// profilesOf reads the header. An error is the JSON's.
func profilesOf(header http.Header) ([]Profile, error) {
	var in struct {
		Profiles []JsonProfile `json:"profiles"`
	}
	if text := header.Get(configHeader); text != "" {
		if err := json.Unmarshal([]byte(text), &in); err != nil {
			return nil, err
		}
	}
	if in.Profiles == nil {
		return defaultProfiles, nil
	}
	out := make([]Profile, 0, len(in.Profiles))
	for _, p := range in.Profiles {
		out = append(out, Profile(p))
	}
	return out, nil
}

// checked says whether a manifest can be made of these profiles, and gives the
// nameless ones their names.
func checked(profiles []Profile) ([]Profile, bool) {
	out := make([]Profile, 0, len(profiles))
	for _, p := range profiles {
		_, known := h264Profiles[strings.ToLower(p.Profile)]
		_, codec := encoders[p.Encoder]
		if _, ok := p.gop(); !ok || !known || !codec {
			return nil, false
		}
		if p.Name == "" {
			p.Name = fmt.Sprintf("custom_%dx%d_%d", p.Width, p.Height, p.Bitrate)
		}
		out = append(out, p)
	}
	return out, true
}

// encodable says whether orchestrators have the encoders.
func encodable(profiles []Profile) bool {
	for _, p := range profiles {
		if !encoders[p.Encoder] {
			return false
		}
	}
	return true
}

// gop is the distance of keyframes, 0 where it is the encoder's. It is negative
// where an orchestrator refuses it: milliseconds travel to it in 32 bits.
func (p *Profile) gop() (time.Duration, bool) {
	if p.GOP == "" || p.GOP == gopIntra {
		return 0, true
	}
	seconds, err := strconv.ParseFloat(p.GOP, 64)
	if err != nil || seconds < 0 {
		return 0, false
	}
	ms := time.Duration(seconds * float64(time.Second)).Milliseconds()
	return time.Duration(int32(ms)) * time.Millisecond, true
}

// interval is the keyframe interval in frames, "" for the encoder's own. The
// rate's denominator is left out of it, as the real one does.
func (p *Profile) interval() string {
	gop, _ := p.gop()
	switch {
	case p.GOP == gopIntra:
		return "0"
	case gop > 0 && p.FPS > 0:
		return strconv.Itoa(int(gop.Seconds() * float64(p.FPS)))
	}
	return ""
}

// grid is where frames go; ok is false where they keep their own times.
func (p *Profile) grid() (g grid, ok bool) {
	return grid{num: int64(min(p.FPS, maxFPS)), den: int64(min(max(p.FPSDen, 1), maxFPS))}, p.FPS > 0
}

// opens says whether the encoder opens with this bitrate.
func (p *Profile) opens() bool {
	return p.Bitrate == 0 || p.Bitrate >= minBitrate && p.Bitrate <= maxBitrate
}

// bFrames is how many of them may follow each other.
func (p *Profile) bFrames() int {
	switch strings.ToLower(p.Profile) {
	case "h264baseline", "h264constrainedhigh":
		return 0
	}
	return maxBFrames
}
