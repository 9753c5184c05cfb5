package jobs

import "time"

// The watchdogs: how long a stage may take at all. Each has a floor, for what every
// machine needs, a part that grows with the source, and a ceiling. Standing still is
// noticed far earlier (noProgressAfter, and the stall timeout of storage).
const (
	// fetchLimit: 50 GB, the largest source, at 60 Mbit/s.
	fetchLimit = 2 * time.Hour

	prepareFloor = 2 * time.Minute
	// preparePerMB: a copy reads and writes a megabyte in milliseconds; a source that
	// has to be encoded again takes some hundred times that.
	preparePerMB = time.Second

	transcodeFloor = 5 * time.Minute
	// transcodePerMedia: a Broadcaster that is slower than a sixth of real time is not
	// going to be done.
	transcodePerMedia = 6

	// stageCeiling keeps any stage below the job's own timeout.
	stageCeiling = 6 * time.Hour
)

const megabyte = 1_000_000

func prepareLimit(sourceBytes int64) time.Duration {
	return min(prepareFloor+time.Duration(sourceBytes/megabyte)*preparePerMB, stageCeiling)
}

func transcodeLimit(sourceDurationMS int64) time.Duration {
	return min(transcodeFloor+transcodePerMedia*time.Duration(sourceDurationMS)*time.Millisecond, stageCeiling)
}
