package jobs

import "time"

// The watchdogs: how long a stage may take at all. Each has a floor, for what every
// machine needs, a part that grows with the source, and a ceiling. Standing still is
// noticed far earlier (noProgressAfter, and the stall timeout of storage).
const (
	fetchFloor = 5 * time.Minute
	// fetchPerMB: a source that comes at less than 8 Mbit/s is not worth its slot.
	fetchPerMB = time.Second

	prepareFloor = 2 * time.Minute
	// preparePerMB: a copy reads and writes a megabyte in milliseconds; a source that
	// has to be encoded again takes some hundred times that.
	preparePerMB = time.Second

	transcodeFloor = 5 * time.Minute
	// transcodePerMedia: a Broadcaster that is slower than a sixth of real time is not
	// going to be done.
	transcodePerMedia = 6

	storeFloor = 10 * time.Minute
	// storePerMB: finishing, judging and uploading at less than that is tried again.
	storePerMB = time.Second

	// stageCeiling keeps any stage below the job's own timeout.
	stageCeiling = 6 * time.Hour
)

const megabyte = 1_000_000

// fetchLimit is for a source of so many bytes; below 0: nobody knows how many.
func fetchLimit(sourceBytes int64) time.Duration {
	if sourceBytes < 0 {
		return stageCeiling
	}
	return min(fetchFloor+time.Duration(sourceBytes/megabyte)*fetchPerMB, stageCeiling)
}

func storeLimit(fileBytes int64) time.Duration {
	return min(storeFloor+time.Duration(fileBytes/megabyte)*storePerMB, stageCeiling)
}

func prepareLimit(sourceBytes int64) time.Duration {
	return min(prepareFloor+time.Duration(sourceBytes/megabyte)*preparePerMB, stageCeiling)
}

func transcodeLimit(sourceDurationMS int64) time.Duration {
	return min(transcodeFloor+transcodePerMedia*time.Duration(sourceDurationMS)*time.Millisecond, stageCeiling)
}
