package api

import "github.com/danielgtaylor/huma/v2"

const (
	// maxProfiles: MistProcLivepeer runs one encoder each; 16 is twice the longest
	// ladder in use.
	maxProfiles = 16
	// MistProcLivepeer floors sizes to multiples of 16, so less would be nothing;
	// 7680 is the long side of 8K, upright video included.
	minSide, maxSide = 16, 7680
	// Bits a second: from a thumbnail's to above 8K's. Below, encoders give up; above,
	// somebody mistook the unit.
	minBitrate, maxBitrate = 10_000, 100_000_000
	// maxFPS is twice the fastest display in use.
	maxFPS = 240
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
	gopPattern                  = `^(intra|[0-9]+(\.[0-9]+)?)?$`
	gopPatternDescription       = "seconds, as in 2.0, or intra"
)

// codecProfiles are the names that MistProcLivepeer takes; "" is H264High to it.
func codecProfiles() []any {
	return []any{"", "H264Baseline", "H264Main", "H264High", "H264ConstrainedHigh"}
}

func between(s *huma.Schema, low, high float64) { s.Minimum, s.Maximum = &low, &high }

func upTo(s *huma.Schema, length int) {
	s.MinLength, s.MaxLength = new(1), &length
}

func matching(s *huma.Schema, pattern, description string) {
	s.Pattern, s.PatternDescription = pattern, description
}
