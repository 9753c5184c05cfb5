package host

import (
	"time"

	"weir/jobs"
)

// The watchdogs: how long a stage may take at all. Each has a floor, for what every
// machine needs, a part that grows with the source, and a ceiling. Standing still is
// noticed far earlier (noProgressAfter, and the stall timeout of storage).
const (
	fetchFloor = 5 * time.Minute
	// fetchPerMB: a source that comes at less than 8 Mbit/s is not worth its slot.
	fetchPerMB = time.Second

	probeFloor = 2 * time.Minute
	// probePerMB: every packet is read, at some milliseconds a megabyte.
	probePerMB = time.Second

	prepareFloor = 2 * time.Minute
	// preparePerMedia: a source that has to be encoded on a host that has no more than a
	// tenth of what its real time takes is better off on another.
	preparePerMedia = 10

	storeFloor = 10 * time.Minute
	// storePerMB: finishing, judging and uploading at less than that is tried again.
	storePerMB = time.Second
)

const megabyte = 1_000_000

// fetchLimit is for a source of so many bytes; below 0: nobody knows how many.
func fetchLimit(sourceBytes int64) time.Duration {
	if sourceBytes < 0 {
		return jobs.StageCeiling
	}
	return min(fetchFloor+time.Duration(sourceBytes/megabyte)*fetchPerMB, jobs.StageCeiling)
}

func storeLimit(fileBytes int64) time.Duration {
	return min(storeFloor+time.Duration(fileBytes/megabyte)*storePerMB, jobs.StageCeiling)
}

func probeLimit(sourceBytes int64) time.Duration {
	return min(probeFloor+time.Duration(sourceBytes/megabyte)*probePerMB, jobs.StageCeiling)
}

func prepareLimit(media time.Duration) time.Duration {
	return min(prepareFloor+preparePerMedia*media, jobs.StageCeiling)
}
