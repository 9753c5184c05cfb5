// Package engine is what a host and its Engine (jobs/host) tell each other: attempts,
// what to make of them, and what is seen of it. It does nothing.
package engine

import (
	"context"
	"errors"
	"time"

	"weir/secret"
)

// ErrPushNotStarted: an Engine has not begun to write a rendition, most likely because
// what it would write is not there any more, or not yet.
var ErrPushNotStarted = errors.New("the push did not start, check that the stream is online and that its target can be written")

// ErrSettings: an Engine can't be used as it is set up, and no waiting mends that.
var ErrSettings = errors.New("it can't be used with these settings")

// Info identifies a running Engine.
type Info struct {
	Version string
	// IID is another one after each of its restarts.
	IID string
}

// Size is of upright pictures with square pixels.
type Size struct{ Width, Height int }

// SizePlan is how a rendition comes as near to the size that was asked for as it can.
type SizePlan struct {
	Ask Size // of the Engine
	Got Size // of what comes back
	Box Size // what was asked for, its longer side along the source's

	// Why Got is not what was asked for.
	Turned  bool // the box lay across the source
	Aspect  bool // the source has another aspect than the box
	Stepped bool // sides come in steps
	Clamped bool // no picture is made that small, or that large
}

// Profile is a rendition to be made.
type Profile struct {
	Name    string // unique among the profiles
	Bitrate int
	Width   int // as planned: SizePlan.Ask
	Height  int
	FPS     int    // 0 means the source's
	FPSDen  int    // FPS counts the frames of so many seconds; 0 means 1
	Quality int    // constant quality, as x264's CRF, below Bitrate as the most; 0 means Bitrate
	GOP     string // seconds, or "intra"; "" means that of the segments
	Profile string // H264Baseline, H264Main, H264High, H264ConstrainedHigh; "" means H264High
}

// Task says what to make of an attempt, and with whom.
type Task struct {
	Name Name
	// Folder is the attempt's own; the process works in it.
	Folder string
	// Broadcasters are addresses like http://127.0.0.1:8935. Without any the API at
	// CustomURL ("" means Livepeer's) names them, which takes an AccessToken.
	Broadcasters []string
	AccessToken  secret.Secret
	CustomURL    string
	// Profiles in the order of their renditions' ordinals.
	Profiles []Profile
}

// Process is what transcodes for one attempt. It outlives the daemon: String is what
// another run of it attaches to.
type Process interface {
	String() string
	ID() int
	Alive() bool
	// End is how it ended, once it has.
	End(ctx context.Context) (End, error)
	// Terminate asks it, and what it started, to end, and waits for patience at the most.
	Terminate(ctx context.Context, patience time.Duration) (gone bool, err error)
	// Kill ends them.
	Kill(ctx context.Context) error
	// Stop is Terminate, and Kill if they are not gone.
	Stop(ctx context.Context, grace time.Duration) error
}

// End is how a process ended.
type End struct {
	// Killed: by a signal, and it is known.
	Killed bool
	// Text is for people.
	Text string
}

// Found is a process that runs on this machine.
type Found struct {
	Process
	// Folder is where it works, also if that was removed.
	Folder string
}

// Look is what runs at one moment.
type Look struct {
	// Running are the attempts that something runs of; what has just ended is none.
	Running map[Name]bool
	// NewestMS is the newest media that came back of an attempt, in ms.
	NewestMS map[Name]int64
	Pushes   []Push
	// Processes by ID; one tells of itself some seconds after its start.
	Processes map[int]Report
}

// Push is a rendition that is being written.
type Push struct {
	ID        int
	Name      Name
	Rendition string
	// MediaMS is how much of it is written, as of its last report.
	MediaMS int64
}

// Report is what a process tells of itself.
type Report struct {
	// SentMS and ReceivedMS are media.
	SentMS, ReceivedMS int64
	Broadcaster        string
}

// Track is a rendition that came back.
type Track struct {
	// Index is what a push selects it by, Ordinal its rendition's.
	Index   int
	Ordinal int32
}

// Log is what a process's log tells of how it goes.
type Log struct {
	// Hung: nothing will ever come of it. Reading: it reads its source. Posted: a segment
	// went out. GaveUp: it posts no more. Full: on a Broadcaster without room.
	Hung, Reading, Posted, GaveUp, Full bool
	// Rejected is the status of the last segment that was refused, or "".
	Rejected string
}

// Memory is a piece of shared memory that belongs to an attempt. It is given back when
// its programs end, and stays for ever if they are killed.
type Memory struct {
	Path  string
	Name  Name
	Bytes int64
	// MadeAt is when it was made: what is written into it does not change that.
	MadeAt time.Time
}
