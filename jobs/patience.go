package jobs

import (
	"time"

	"weir/db/dbsqlc"
)

const (
	// startFloor is how long a process may take from its start to its first post beside
	// reading its source: the real one takes two seconds, or hangs for 45.
	startFloor = 10 * time.Second
	// startPerMB: Mist reads the prepared file once before it begins, from a disk that is
	// shared.
	startPerMB = 50 * time.Millisecond
	// readingFactor: one whose source thread reads is at work, and its machine is slow.
	readingFactor = 3
	// hungStartsMost is how often a start is tried anew within an attempt: of 24 real
	// starts at four at once three hung, so that four in a row are no accident.
	hungStartsMost = 3
	// rerunsMost is how often the process is started anew for what it lost at its end: of
	// 24 short clips it happened to three.
	rerunsMost = 2

	// postReserve and postTries are what MistProcLivepeer gives a segment: its length and
	// this, twice over, five times (uploadThread in process_livepeer.cpp).
	postReserve = 2 * time.Second
	postTries   = 2 * 5
	// segmentUsual is the length of a segment where nobody has measured it.
	segmentUsual = 2 * time.Second
	// progressMargin: Mist's own report comes every 5 s, a post waits for its turn.
	progressMargin = 20 * time.Second
)

// startPatience is how long a process may show no post before its start counts as hung.
func startPatience(a *dbsqlc.Attempt, reading bool) time.Duration {
	prepared, _ := preparedOf(a) // what can't be read is taken for the usual
	patience := startFloor + time.Duration(prepared.Bytes/megabyte)*startPerMB
	if reading {
		patience *= readingFactor
	}
	return patience
}

// progressPatience is how long a started process may show nothing new: as long as a
// Broadcaster may keep it waiting with its longest segment. A garbage source hangs for
// ever.
func progressPatience(a *dbsqlc.Attempt) time.Duration {
	prepared, _ := preparedOf(a) // what can't be read is taken for the usual
	segment := time.Duration(prepared.SegmentMS) * time.Millisecond
	if segment <= 0 {
		segment = segmentUsual
	}
	return postTries*(segment+postReserve) + progressMargin
}
