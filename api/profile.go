package api

import (
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
)

// Profile is one requested rendition.
type Profile struct {
	Name    string `json:"name" doc:"The rendition's name, part of its file's name; unique, also without regard to case." example:"720p"`
	Width   int    `json:"width" doc:"Pixels; the rendition's are floored to a multiple of 16." example:"1280"`
	Height  int    `json:"height" doc:"Pixels; the rendition's are floored to a multiple of 16." example:"720"`
	Bitrate int64  `json:"bitrate" doc:"Bits a second." example:"3000000"`
	FPS     int    `json:"fps,omitempty" doc:"Whole frames a second; 0 is the source's."`
	GOP     string `json:"gop,omitempty" doc:"Seconds between keyframes, or intra; empty is the Broadcaster's." example:"2.0"`
	Profile string `json:"profile,omitempty" doc:"The codec's profile; H264High where it is not given."`
}

// TransformSchema implements huma.SchemaTransformer.
func (Profile) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	limitProfile(s)
	return s
}

func limitProfile(s *huma.Schema) {
	upTo(s.Properties["name"], maxName)
	matching(s.Properties["name"], namePattern, namePatternDescription)
	between(s.Properties["width"], minSide, maxSide)
	between(s.Properties["height"], minSide, maxSide)
	between(s.Properties["bitrate"], minBitrate, maxBitrate)
	between(s.Properties["fps"], 0, maxFPS)
	s.Properties["gop"].MaxLength = new(maxGOP)
	matching(s.Properties["gop"], gopPattern, gopPatternDescription)
	s.Properties["profile"].Enum = codecProfiles()
}

func (p Profile) wanted() jobs.Profile {
	return jobs.Profile{
		Name: p.Name, Width: p.Width, Height: p.Height, Bitrate: p.Bitrate,
		FPS: p.FPS, GOP: p.GOP, CodecProfile: p.Profile,
	}
}

// checkNames refuses profiles whose files could not lie beside each other, or would
// take the source's place.
func checkNames(profiles []jobs.Profile, sourceName string) (errs []error) {
	first := map[string]int{}
	for i, p := range profiles {
		at := fmt.Sprintf("body.profiles[%d].name", i)
		name := strings.ToLower(p.Name)
		if earlier, taken := first[name]; taken {
			errs = append(errs, refusal(at, fmt.Sprintf("is the name of profiles[%d] too, but for case; give every profile its own", earlier)))
			continue
		}
		first[name] = i
		if sourceName != "" && name == strings.ToLower(sourceName) {
			errs = append(errs, refusal(at, "is the source's name, which lies in the output's folder; give another one"))
		}
	}
	return errs
}
