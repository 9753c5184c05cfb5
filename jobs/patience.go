package jobs

import (
	"time"

	"weir/db/dbsqlc"
)

// What a supervisor has patience with.
const (
	// PollEvery is the most that a lost trigger costs.
	PollEvery = time.Second
	// mistPatience is how long Mist may be silent under a running attempt: longer than
	// its controller takes to come back, shorter than Studio's patience.
	mistPatience = 45 * time.Second
	// TrackPatience is how long a LIVE_TRACK_LIST may be on its way: Mist tells within
	// a quarter of a second. A push that starts when the process has ended already finds
	// no stream, and a short source is through in a second or two.
	TrackPatience = 300 * time.Millisecond

	// startLimit is for two calls to Mist and a fork.
	startLimit = 30 * time.Second
	// stopHold is how long a soft stop waits for pushes that can't wait for the next boot:
	// most of River's softStop, and longer than Mist takes from its start to a first track.
	stopHold = 8 * time.Second

	// StorePatience is how long a finished file waits for its storage: most outages are over
	// in a day, and Studio has long lost its patience.
	StorePatience = 24 * time.Hour

	// TakeUpPatience is how long a host may leave what it was given: longer than an upgrade
	// (a minute of lease), and than cleaning up may hold all workers (90 s).
	TakeUpPatience = 5 * time.Minute

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

	transcodeFloor = 5 * time.Minute
	// transcodePerMedia: a Broadcaster that is slower than a sixth of real time is not
	// going to be done.
	transcodePerMedia = 6
	// StageCeiling keeps any stage of an attempt below its job's own timeout.
	StageCeiling = 6 * time.Hour

	megabyte = 1_000_000
)

// transcodeLimit is how long a process may run at all.
func transcodeLimit(sourceDurationMS int64) time.Duration {
	return min(transcodeFloor+transcodePerMedia*time.Duration(sourceDurationMS)*time.Millisecond, StageCeiling)
}

// startPatience is how long a process may show no post before its start counts as hung.
func startPatience(a *dbsqlc.Attempt, reading bool) time.Duration {
	prepared := preparedOf(a)
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
	prepared := preparedOf(a)
	segment := time.Duration(prepared.SegmentMS) * time.Millisecond
	if segment <= 0 {
		segment = segmentUsual
	}
	return postTries*(segment+postReserve) + progressMargin
}

// Patience is what an attempt is given at the step that it is at.
type Patience struct {
	// Until is when the step is given up at the latest, and Code what the attempt then fails
	// with; nil: the step has no end of its own.
	Until *time.Time
	Code  string
	// Still is how long a process may show nothing new, Silent how long Mist may answer nothing.
	Still, Silent time.Duration
	// HungStarts and Reruns are how often the process is started anew.
	HungStarts, Reruns int32
}

// PatienceWith says how long an attempt is waited for, from rows alone.
func PatienceWith(t *dbsqlc.Transcode, a *dbsqlc.Attempt) Patience {
	p := Patience{Still: progressPatience(a), Silent: mistPatience, HungStarts: hungStartsMost, Reruns: rerunsMost}
	until := func(from *time.Time, limit time.Duration, code string) {
		if from != nil {
			p.Until, p.Code = new(from.Add(limit)), code
		}
	}
	switch a.Stage {
	case AttemptPlaced:
		until(a.StartedAt, StageCeiling, CodeFetchSlow)
	case AttemptFetched:
		until(a.FetchedAt, StageCeiling, CodePrepareSlow)
	case AttemptStarted:
		if t.SourceDurationMs != nil {
			until(a.ProcessStartedAt, transcodeLimit(*t.SourceDurationMs), CodeDeadline)
		}
	}
	return p
}

// FreeUntil is when a run ends being tried again for what eats no attempt.
func FreeUntil(t *dbsqlc.Transcode) time.Time { return t.RunAt.Add(freeFor) }
