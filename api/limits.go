package api

import "github.com/danielgtaylor/huma/v2"

const (
	// maxProfiles: a Broadcaster refuses more.
	maxProfiles = 10
	// maxLocations is twice what Studio sends: one for each output, and a place of its own for
	// what was refused.
	maxLocations = 10
	// 8192 is twice what a Broadcaster makes, upright pictures included: what is
	// asked for beyond that is a mistake, not a box.
	minSide, maxSide = 1, 8192
	// Bits a second: a Broadcaster was seen to take these, and to hang up on 100 and
	// on 3,000,000,000.
	minBitrate, maxBitrate = 1000, 1_000_000_000
	// maxQuality is the last one that a Broadcaster gives to hardware encoders too,
	// whose scale it takes to end at 51, 7 further (lpms, ffmpeg.go).
	maxQuality = 44
	// maxRate, in frames a second, is twice the fastest display in use; maxFPSDen is
	// that of the rates of NTSC.
	maxRate, maxFPSDen = 240, 1001
	// maxName leaves room below the 255 bytes of a file's name.
	maxName = 64
	// maxExternalID holds several UUIDs; Postgres indexes it.
	maxExternalID = 200
	// maxURL is storage's limit, above every presigned URL seen.
	maxURL = 8 << 10
	// maxAccessToken is above a JWT's usual size.
	maxAccessToken = 4 << 10
	// maxGOP holds any number of seconds.
	maxGOP = 16
)

const (
	// Safe as a file's name everywhere: no slash, no "..", no dot first or last.
	namePattern            = `^[a-zA-Z0-9](\.?[a-zA-Z0-9_-])*$`
	namePatternDescription = `letters, digits, '-', '_' and single dots, beginning with a letter or digit`
	// Postgres' text takes no zero byte.
	printablePattern            = `^\P{Cc}*$`
	printablePatternDescription = "without control characters"
	// A Broadcaster refuses seconds that as milliseconds are more than 31 bits hold;
	// no segment lasts as long as four digits of seconds.
	gopPattern            = `^(intra|[0-9]{1,4}(\.[0-9]+)?)?$`
	gopPatternDescription = "seconds from 0 to 9999, as in 2.0, or intra"
)

// codecProfiles are the names that a Broadcaster takes, in any case. MistProcLivepeer
// makes H264High of ""; to a Broadcaster None is the encoder's choice.
func codecProfiles() []any {
	return []any{"", "None", "H264Baseline", "H264Main", "H264High", "H264ConstrainedHigh"}
}

// encoders are the names of the one that can be had: a Broadcaster's, and what people
// write for it. It finds nobody for its HEVC, VP8 and VP9.
func encoders() []any { return []any{"", "H.264", "H264"} }

// colorDepths are the words for 8 bits: people's, and a Broadcaster's, which counts
// from there. To it 8 would be 16 bits, which no H.264 has.
func colorDepths() []any { return []any{0, 8} }

// chromaFormats is a Broadcaster's word for 4:2:0; 1 and 2 are 4:2:2 and 4:4:4 to it.
func chromaFormats() []any { return []any{0} }

func between(s *huma.Schema, low, high float64) { s.Minimum, s.Maximum = &low, &high }

func upTo(s *huma.Schema, length int) {
	s.MinLength, s.MaxLength = new(1), &length
}

func matching(s *huma.Schema, pattern, description string) {
	s.Pattern, s.PatternDescription = pattern, description
}
