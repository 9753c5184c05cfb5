package api

import (
	"fmt"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"weir/jobs"
)

// Profile is one requested rendition.
type Profile struct {
	ProfileFields

	FPSDen       int    `json:"fps_den,omitempty" doc:"The seconds that fps counts its frames in, as 1001 of 30000; 0 stands for 1."`
	Encoder      string `json:"encoder,omitempty" doc:"H.264, in any case; there is no other."`
	ColorDepth   int    `json:"color_depth,omitempty" doc:"8, or 0 for it; there is no other."`
	ChromaFormat int    `json:"chroma_format,omitempty" doc:"0, which is 4:2:0; there is no other."`
}

// TransformSchema implements huma.SchemaTransformer.
func (Profile) TransformSchema(_ huma.Registry, s *huma.Schema) *huma.Schema {
	limitProfile(s, "fps_den", "encoder", "color_depth", "chroma_format")
	s.Properties["width"].Description += " Without it and without height: the source's size."
	s.DependentRequired = map[string][]string{"width": {"height"}, "height": {"width"}}
	return s
}

// ProfileFields are those that both forms of a request spell alike.
type ProfileFields struct {
	Name    string `json:"name" doc:"The rendition's name, part of its file's name; unique, also without regard to case." example:"720p"`
	Width   int    `json:"width,omitempty" doc:"Of the box, in pixels, that the rendition lies in: it keeps the source's aspect." example:"1280"`
	Height  int    `json:"height,omitempty" doc:"Of the box, in pixels, that the rendition lies in: it keeps the source's aspect." example:"720"`
	Bitrate int64  `json:"bitrate" doc:"Bits a second; with a quality, the most." example:"3000000"`
	Quality int    `json:"quality,omitempty" doc:"Constant quality as x264's CRF, less is better; 0: bitrate alone counts."`
	FPS     int    `json:"fps,omitempty" doc:"Whole frames a second; 0 is the source's."`
	GOP     string `json:"gop,omitempty" doc:"Seconds between keyframes, or intra; empty or 0 is the Broadcaster's." example:"2.0"`
	Profile string `json:"profile,omitempty" doc:"The codec's profile, in any case; H264High where it is not given."`
}

// limitProfile sets the limits of a profile's schema; the last four fields have a
// name of their own in each form.
func limitProfile(s *huma.Schema, fpsDen, encoder, colorDepth, chromaFormat string) {
	upTo(s.Properties["name"], maxName)
	matching(s.Properties["name"], namePattern, namePatternDescription)
	between(s.Properties["width"], minSide, maxSide)
	between(s.Properties["height"], minSide, maxSide)
	between(s.Properties["bitrate"], minBitrate, maxBitrate)
	between(s.Properties["quality"], 0, maxQuality)
	between(s.Properties["fps"], 0, maxRate*maxFPSDen)
	between(s.Properties[fpsDen], 0, maxFPSDen)
	s.Properties["gop"].MaxLength = new(maxGOP)
	matching(s.Properties["gop"], gopPattern, gopPatternDescription)
	s.Properties["profile"].Enum = codecProfiles()
	s.Properties[encoder].Enum = encoders()
	s.Properties[colorDepth].Enum = colorDepths()
	s.Properties[chromaFormat].Enum = chromaFormats()
}

// wanted is the profile for jobs. What else a form has can only be what there is.
func (p *ProfileFields) wanted(fpsDen int) jobs.Profile {
	return jobs.Profile{
		Name: p.Name, Width: p.Width, Height: p.Height, Bitrate: p.Bitrate, Quality: p.Quality,
		FPS: p.FPS, FPSDen: fpsDen, GOP: p.GOP, CodecProfile: codecProfile(p.Profile),
	}
}

// codecProfile is a name as it is spelled.
func codecProfile(name string) string {
	for _, word := range codecProfiles() {
		if known := fmt.Sprint(word); strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}

// checkSizes refuses a box with one side.
func checkSizes(profiles []jobs.Profile) (errs []error) {
	for i, p := range profiles {
		switch {
		case p.Width == 0 && p.Height > 0:
			errs = append(errs, refusal(fmt.Sprintf("body.profiles[%d].width", i), "is missing beside height; send both, or neither for the source's size"))
		case p.Height == 0 && p.Width > 0:
			errs = append(errs, refusal(fmt.Sprintf("body.profiles[%d].height", i), "is missing beside width; send both, or neither for the source's size"))
		}
	}
	return errs
}

// checkRates refuses more frames a second than anything shows.
func checkRates(profiles []jobs.Profile) (errs []error) {
	for i, p := range profiles {
		if p.FPS > maxRate*max(p.FPSDen, 1) {
			errs = append(errs, refusal(fmt.Sprintf("body.profiles[%d].fps", i), fmt.Sprintf("is more than %d frames a second", maxRate)))
		}
	}
	return errs
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
