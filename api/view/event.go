package view

import (
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// TypeProgress is the type of what is told between events.
const TypeProgress = "transcode.progress"

// Event is something that has happened to a transcode, or how far it is.
type Event struct {
	ID        int64          `json:"id,omitempty" doc:"It grows; a stream goes on behind it (Last-Event-ID). Not there: it is progress, of which the newest comes again."`
	Type      string         `json:"type" enum:"transcode.queued,transcode.placed,transcode.started,transcode.storing,transcode.succeeded,transcode.failed,transcode.cancelled,transcode.retried,transcode.progress,rendition.pushed,rendition.ready,rendition.failed,output.ready"`
	At        time.Time      `json:"at" doc:"When it happened."`
	Transcode EventTranscode `json:"transcode"`
	Rendition string         `json:"rendition,omitempty" doc:"The rendition that it is about."`
	Output    string         `json:"output,omitempty" doc:"The output that it is about."`
	Error     *Failure       `json:"error,omitempty" doc:"Why it failed; of one that is queued again, why its last attempt did."`
	Progress  *Progress      `json:"progress,omitempty" doc:"Of transcode.progress, while a host has it."`
	Queue     *Queue         `json:"queue,omitempty" doc:"Of transcode.progress, while it waits."`
}

// EventTranscode is the transcode as it was when it happened.
type EventTranscode struct {
	ID         uuid.UUID `json:"id" format:"uuid"`
	ExternalID *string   `json:"external_id" doc:"The caller's own id."`
	Tenant     string    `json:"tenant"`
	State      string    `json:"state" enum:"queued,placed,running,storing,succeeded,failed,cancelled"`
	Ratio      float64   `json:"ratio" doc:"Completion from 0 to 1."`
	Run        int32     `json:"run"`
	Attempt    int32     `json:"attempt"`
	Host       *string   `json:"host" doc:"Host of the newest attempt."`
}

// EventOf shows an event from its row.
func EventOf(e *dbsqlc.Event) Event {
	v := Event{
		ID: e.ID, Type: e.Type, At: e.CreatedAt.UTC(), Error: failure(e.ErrorCode, e.ErrorStage, nil),
		Transcode: EventTranscode{
			ID: e.TranscodeID, ExternalID: e.ExternalID, Tenant: e.Tenant, State: e.State, Ratio: e.Ratio,
			Run: e.Run, Attempt: e.Attempt, Host: e.HostID,
		},
	}
	if e.Rendition != nil {
		v.Rendition = *e.Rendition
	}
	if e.Output != nil {
		v.Output = *e.Output
	}
	return v
}

// ProgressEvent shows how far a transcode is, or where it waits: neither where nothing is
// known of it yet.
func ProgressEvent(d *jobs.Detail) Event {
	t, now := &d.Transcode, time.Now()
	return Event{
		Type: TypeProgress, At: now.UTC(), Progress: progress(d, now), Queue: queue(d.Position),
		Transcode: EventTranscode{
			ID: t.ID, ExternalID: t.ExternalID, Tenant: t.Tenant, State: t.State, Ratio: t.Ratio,
			Run: t.Run, Attempt: t.Attempt, Host: t.HostID,
		},
	}
}
