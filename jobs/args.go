package jobs

import (
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
)

// The queues that daemons which lead work on, and that of every host. A host's own are
// [HostQueue] and [StoreQueue].
const (
	AcceptQueue   = "accept"
	PlaceQueue    = "place"
	CallbackQueue = "callback"
	// ResidueQueue is worked by every host: that of the stores may be dead.
	ResidueQueue = "residue"
)

// examineTries: who is not answered asks again.
const examineTries = 1

const (
	// acceptTries are for errors of Postgres. The function that inserts these jobs has them
	// too (weir.enqueue_transcode); a test compares.
	acceptTries = 100
	// placeTries: the periodic job comes anyway.
	placeTries = 3
	// transcodeTries are for errors that are no failure of the transcode, as a database
	// that goes away; attempts are counted in our own rows.
	transcodeTries = 100
	// storeTries with a minute between them ride out a day of S3 outage ([StorePatience]).
	storeTries = 1440
	// callbackTries are for errors of Postgres; deliveries are counted in our rows, and
	// the wait between them is a snooze, which is no try.
	callbackTries = 100
)

// TroubleEvery is the pause after an error of Postgres or Mist.
const TroubleEvery = time.Second

// HostQueue is the queue of a host's transcodes.
func HostQueue(host string) string { return "host-" + host }

// StoreQueue is the queue of a host's stores.
func StoreQueue(host string) string { return "host-" + host + "-store" }

// AcceptArgs is the job that accepts a request by SQL, and seals its secrets.
type AcceptArgs struct {
	ID uuid.UUID `json:"id"`
}

// Kind implements river.JobArgs.
func (AcceptArgs) Kind() string { return "accept" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (AcceptArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: AcceptQueue, MaxAttempts: acceptTries}
}

// PlaceArgs is the job of one placement round. It has no arguments: a round places what
// it can, and has another follow where there is more. One that waits is enough
// ([Decider.WakePlacement]).
type PlaceArgs struct{}

// Kind implements river.JobArgs.
func (PlaceArgs) Kind() string { return "place" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (PlaceArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: PlaceQueue, MaxAttempts: placeTries}
}

// TranscodeArgs is the job that supervises one attempt on its host, for as long as
// the attempt holds its slot.
type TranscodeArgs struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
	Attempt     int32     `json:"attempt"`
}

// Kind implements river.JobArgs.
func (TranscodeArgs) Kind() string { return "transcode" }

// InsertOpts implements river.JobArgsWithInsertOpts; the queue is the host's.
func (TranscodeArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: transcodeTries}
}

// StoreArgs is the job that finishes, judges, uploads and verifies one rendition, on
// the host that has its file.
type StoreArgs struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
	Attempt     int32     `json:"attempt"`
	Rendition   string    `json:"rendition"`
}

// Kind implements river.JobArgs.
func (StoreArgs) Kind() string { return "store" }

// InsertOpts implements river.JobArgsWithInsertOpts; the queue is the host's.
func (StoreArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: storeTries}
}

// PackageArgs is the job that makes the outputs of a transcode whose renditions are all
// stored, on the host of its newest attempt.
type PackageArgs struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
	Attempt     int32     `json:"attempt"`
}

// Kind implements river.JobArgs.
func (PackageArgs) Kind() string { return "package" }

// InsertOpts implements river.JobArgsWithInsertOpts; the queue is that of the host's
// stores. It waits for S3 as long as a store does.
func (PackageArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: storeTries}
}

// ResidueArgs is the job that removes what the stores of an ended transcode left in
// S3 and no row relies on: half uploads of killed daemons, objects whose rendition was
// stored by a later attempt or not at all, and what attempts packaged before the last one.
type ResidueArgs struct {
	TranscodeID uuid.UUID `json:"transcode_id"`
}

// Kind implements river.JobArgs.
func (ResidueArgs) Kind() string { return "residue" }

// InsertOpts implements river.JobArgsWithInsertOpts. It waits for S3 as long as a store does.
func (ResidueArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: ResidueQueue, MaxAttempts: storeTries}
}

// CallbackArgs is the job that delivers one callback until Studio has it, refuses
// it, or a day has passed.
type CallbackArgs struct {
	CallbackID uuid.UUID `json:"callback_id"`
	// Redelivery: an operator has it sent again, whatever its state.
	Redelivery bool `json:"redelivery,omitempty"`
}

// Kind implements river.JobArgs.
func (CallbackArgs) Kind() string { return "callback" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (CallbackArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: CallbackQueue, MaxAttempts: callbackTries}
}

// replayTries are for errors of Postgres; a person who asked for it can ask again.
const replayTries = 3

// ReplayArgs is the job that has a trigger handled again that Mist posted before, by the
// listener of the host that it was posted to. Its queue is that of the host's stores.
type ReplayArgs struct {
	EventID int64 `json:"event_id"`
}

// Kind implements river.JobArgs.
func (ReplayArgs) Kind() string { return "replay" }

// InsertOpts implements river.JobArgsWithInsertOpts; the queue is the host's.
func (ReplayArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: replayTries}
}

// ExamineArgs is the job that has a daemon look at what is around it (jobs/doctor). Without
// an examination it asks all of them.
type ExamineArgs struct {
	ExaminationID *uuid.UUID `json:"examination_id,omitempty"`
	// Daemon is who looks: a host's id, or "control".
	Daemon string `json:"daemon,omitempty"`
}

// Kind implements river.JobArgs.
func (ExamineArgs) Kind() string { return "examine" }

// InsertOpts implements river.JobArgsWithInsertOpts; a host's is in its own queue. Nobody
// waits behind a callback that hangs, so the others are with those.
func (ExamineArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: CallbackQueue, MaxAttempts: examineTries}
}
