// Package view shows transcodes to callers and operators: what the API answers and what
// weir-admin prints.
package view

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/jobs"
)

// Transcode is a transcode as callers see it; no secret is in it.
type Transcode struct {
	ID         uuid.UUID                  `json:"id" format:"uuid"`
	ExternalID *string                    `json:"external_id" doc:"The caller's own id."`
	Tenant     string                     `json:"tenant"`
	State      string                     `json:"state" enum:"queued,placed,running,storing,succeeded,failed,cancelled" doc:"The last three are final."`
	Stage      *string                    `json:"stage" doc:"What is being done: queue, fetch, probe, prepare, transcode, store, package; null at the end."`
	Priority   int16                      `json:"priority" doc:"0, the most urgent, to 9: its place in the tenant's queue."`
	Ratio      float64                    `json:"ratio" doc:"Completion from 0 to 1; it never goes down."`
	Progress   *Progress                  `json:"progress" doc:"How far its newest attempt is in what it does, as the host told it last; null before and after."`
	Queue      *Queue                     `json:"queue" doc:"Where it waits; null unless it is queued, and in the answer that accepts it."`
	Run        int32                      `json:"run" doc:"1, and one more for each retry."`
	Attempt    int32                      `json:"attempt" doc:"Number of the newest attempt; 0 before the first."`
	Host       *string                    `json:"host" doc:"Host of the newest attempt."`
	Source     Source                     `json:"source"`
	Clip       *Clip                      `json:"clip,omitempty" doc:"The part of the source that was asked for; not there: all of it."`
	Output     Output                     `json:"output"`
	Renditions []Rendition                `json:"renditions" nullable:"false" doc:"In the order of the request's profiles."`
	Outputs    []MadeOutput               `json:"outputs,omitempty" nullable:"false" doc:"What was asked to be made of the renditions, in the request's order; not there: their files alone."`
	Warnings   []Warning                  `json:"warnings" nullable:"false" doc:"What was done otherwise than asked; known once the source is prepared."`
	Error      *Failure                   `json:"error" doc:"Why it failed; before the end, why its last attempt did, or what is in the way of its stores."`
	Callback   *Callback                  `json:"callback" doc:"The terminal callback; null before the end."`
	Metadata   map[string]json.RawMessage `json:"metadata" nullable:"false" doc:"As the request had it."`
	Labels     map[string]string          `json:"labels" nullable:"false" doc:"As the request had them."`
	CreatedAt  time.Time                  `json:"created_at" doc:"When it was accepted."`
	PlacedAt   *time.Time                 `json:"placed_at" doc:"When a host was last chosen."`
	StartedAt  *time.Time                 `json:"started_at" doc:"When its newest attempt began to run."`
	FinishedAt *time.Time                 `json:"finished_at" doc:"When it reached its end."`
}

// Clip is a part of a source, in milliseconds.
type Clip struct {
	StartMS int64  `json:"start_ms"`
	EndMS   int64  `json:"end_ms"`
	Clock   string `json:"clock" enum:"source,unix" doc:"source: from the source's first picture on; unix: the time of day that its playlist tells."`
}

// Progress is how far a transcode is in what is done to it now.
type Progress struct {
	Stage      string    `json:"stage" doc:"As the transcode's."`
	Ratio      float64   `json:"ratio" doc:"Of the whole, as the transcode's."`
	StageRatio *float64  `json:"stage_ratio" doc:"Of the stage, 0 to 1; null where a stage can't be measured."`
	Done       *int64    `json:"done" doc:"How many units of the stage are done."`
	Of         *int64    `json:"of" doc:"How many there are."`
	Unit       *string   `json:"unit" enum:"ms,bytes" doc:"ms: milliseconds of media."`
	Speed      *float64  `json:"speed" doc:"Media seconds a second; null where the stage does not go by media time, or nobody can say yet."`
	ETASeconds *float64  `json:"eta_seconds" doc:"How long it will take to its end if it goes on as it goes; null: nobody can say yet."`
	At         time.Time `json:"at" doc:"When the host told it; it does every five seconds."`
}

// Queue is where a transcode waits.
type Queue struct {
	Position int64 `json:"position" doc:"Its place in its tenant's queue; the first is 1. Counted up to 1000: capped says that it may be farther."`
	Ahead    int64 `json:"ahead" doc:"How many of all tenants' came before it and wait still, whatever their priority, counted likewise."`
	Capped   bool  `json:"capped" doc:"The queue is longer than it is counted."`
}

// Source is what is known of the source: all but its location after the probe.
type Source struct {
	Location   string  `json:"location" doc:"Where it is, without credentials."`
	DurationMS *int64  `json:"duration_ms"`
	Frames     *int64  `json:"frames"`
	Width      *int    `json:"width"`
	Height     *int    `json:"height"`
	VideoCodec *string `json:"video_codec"`
	AudioCodec *string `json:"audio_codec" doc:"Null where it has no sound."`
}

// Output is where renditions go.
type Output struct {
	Location string `json:"location" doc:"The folder, without credentials."`
}

// Rendition is one requested output.
type Rendition struct {
	Name        string   `json:"name"`
	State       string   `json:"state" enum:"expected,pushing,pushed,ok,failed" doc:"ok: its object is verified."`
	Ratio       float64  `json:"ratio" doc:"Media time done over the source's, 0 to 1."`
	Width       *int32   `json:"width" doc:"Of its file, in the source's aspect; null until the source is prepared."`
	Height      *int32   `json:"height" doc:"Of its file, in the source's aspect; null until the source is prepared."`
	AskedWidth  int32    `json:"asked_width" doc:"As asked for."`
	AskedHeight int32    `json:"asked_height" doc:"As asked for."`
	Bitrate     int64    `json:"bitrate" doc:"Bits a second, as asked for."`
	FPS         int32    `json:"fps" doc:"As asked for; 0 is the source's."`
	FPSDen      int32    `json:"fps_den" doc:"The seconds that fps counts its frames in, as asked for; 0 stands for 1."`
	Frames      *int64   `json:"frames" doc:"Counted in its file."`
	DurationMS  *int64   `json:"duration_ms" doc:"By its frames."`
	Bytes       *int64   `json:"bytes" doc:"The object's size."`
	Location    *string  `json:"location" doc:"The object, without credentials."`
	Error       *Failure `json:"error" doc:"Why it failed; of a pushed one, what is in the way of its store."`
}

// MadeOutput is what is made of the renditions.
type MadeOutput struct {
	Type     string         `json:"type" enum:"ts,hls,mp4,fmp4,source,thumbnails"`
	State    string         `json:"state" enum:"expected,ok,failed,skipped" doc:"ok: every object of it is verified."`
	Location string         `json:"location" doc:"Its folder, of a source copy the object, without credentials."`
	Manifest *string        `json:"manifest" doc:"Where a player begins; null before it is ok, and where there is none."`
	Bytes    *int64         `json:"bytes" doc:"Of all its objects."`
	Objects  []StoredObject `json:"objects" nullable:"false" doc:"What was written; segments and pictures as one entry."`
	Skipped  *string        `json:"skipped" doc:"Why there is none."`
	Error    *Failure       `json:"error" doc:"Why it failed; of an expected one, what is in its way."`
}

// StoredObject is something that was written for an output.
type StoredObject struct {
	Kind      string `json:"kind" enum:"master,playlist,segments,file,pictures" doc:"master: where players begin; segments and pictures: many, below the location."`
	Rendition string `json:"rendition,omitempty" doc:"The one it is of; not there: all."`
	Location  string `json:"location" doc:"Without credentials."`
	Bytes     int64  `json:"bytes"`
	Checksum  string `json:"checksum" doc:"As verified; of many, over their names, bytes and checksums."`
	Objects   int    `json:"objects" doc:"How many."`
}

// Warning is something that was done otherwise than asked.
type Warning struct {
	Code      string `json:"code" doc:"From the table of warnings." example:"size_aspect"`
	Text      string `json:"text" doc:"For people."`
	Rendition string `json:"rendition,omitempty" doc:"The rendition that it is about; not there: all."`
}

// Failure is why something failed.
type Failure struct {
	Code      string `json:"code" doc:"From the table of failures." example:"source_missing"`
	Stage     string `json:"stage" doc:"Where: queue, fetch, probe, prepare, transcode, push, store, package."`
	Blame     string `json:"blame" doc:"Who can mend it: input, storage, network, host, livepeer, studio, weir."`
	Retriable bool   `json:"retriable" doc:"Whether asking again can help."`
	Message   string `json:"message" doc:"For people."`
}

// Callback is the delivery of the terminal callback.
type Callback struct {
	ID         uuid.UUID `json:"id" format:"uuid" doc:"The event's id, the same in every delivery."`
	State      string    `json:"state" enum:"pending,delivered,refused,expired,superseded"`
	Attempts   int32     `json:"attempts"`
	LastStatus *int32    `json:"last_status" doc:"HTTP status of the last answer; null where none came."`
}

// Of shows a transcode from its rows.
func Of(d *jobs.Detail) Transcode {
	t := &d.Transcode
	v := Transcode{
		ID: t.ID, ExternalID: jobs.TaskOf(t), Tenant: t.Tenant, State: t.State, Stage: stage(d), Priority: t.Priority, Ratio: t.Ratio,
		Progress: progress(d, time.Now()), Queue: queue(d.Position), Run: t.Run, Attempt: t.Attempt, Host: t.HostID, Source: source(t), Output: Output{Location: t.OutputURL},
		Renditions: []Rendition{}, Warnings: warnings(t), Error: failure(t.ErrorCode, t.ErrorStage, t.ErrorMessage),
		CreatedAt: t.CreatedAt, PlacedAt: t.PlacedAt, StartedAt: t.StartedAt, FinishedAt: t.FinishedAt,
	}
	if clip := jobs.ClipOf(t); clip != nil {
		v.Clip = new(Clip(*clip))
	}
	v.Metadata, v.Labels = map[string]json.RawMessage{}, map[string]string{}
	// What can't be read is shown as none: the schema holds both to be objects.
	_ = json.Unmarshal(t.Metadata, &v.Metadata)
	_ = json.Unmarshal(t.Labels, &v.Labels)
	for i := range d.Renditions {
		v.Renditions = append(v.Renditions, rendition(&d.Renditions[i], t.SourceDurationMs))
	}
	for i := range d.Outputs {
		v.Outputs = append(v.Outputs, made(&d.Outputs[i]))
	}
	if !jobs.FilesKept(t, d.Outputs) {
		for i := range v.Renditions {
			v.Renditions[i].Location = nil // they go when the outputs stand
		}
	}
	if c := d.Callback; c != nil {
		v.Callback = &Callback{ID: c.ID, State: c.State, Attempts: c.Attempts, LastStatus: c.LastStatus}
	}
	return v
}

// stage is what is being done: the state's word, refined by the step of the attempt
// that is done last.
func stage(d *jobs.Detail) *string {
	done := ""
	if d.Attempt != nil {
		done = d.Attempt.Stage
	}
	doing := jobs.StageStore
	switch d.Transcode.State {
	case jobs.StateQueued:
		doing = jobs.StageQueue
	case jobs.StatePlaced:
		doing = jobs.StageFetch
	case jobs.StateRunning:
		switch {
		case done == jobs.AttemptPlaced:
			doing = jobs.StageFetch
		case done == jobs.AttemptFetched && d.Transcode.SourceDurationMs == nil:
			doing = jobs.StageProbe
		case done == jobs.AttemptFetched:
			doing = jobs.StagePrepare
		case done == jobs.AttemptPrepared, done == jobs.AttemptStarted:
			doing = jobs.StageTranscode
		}
	case jobs.StateStoring:
	default:
		return nil
	}
	if told := jobs.ProgressOf(&d.Transcode); doing == jobs.StageProbe && told != nil && told.Stage == jobs.StagePrepare {
		doing = told.Stage // rows tell of the probe when both are done
	}
	if d.Transcode.State != jobs.StateQueued && d.Attempt != nil && d.Attempt.PackageFrom != nil {
		doing = jobs.StagePackage
	}
	return new(string(doing))
}

func progress(d *jobs.Detail, now time.Time) *Progress {
	told, doing := jobs.ProgressOf(&d.Transcode), stage(d)
	if told == nil || doing == nil {
		return nil
	}
	v := &Progress{Stage: *doing, Ratio: d.Transcode.Ratio, ETASeconds: told.ETA(now), At: told.At}
	if string(told.Stage) == *doing { // else it is through with that
		v.add(told)
	}
	return v
}

// add adds what is measured of a stage.
func (v *Progress) add(told *jobs.Progress) {
	v.Speed = told.Speed
	if told.Of > 0 {
		v.Done, v.Of, v.Unit = &told.Done, &told.Of, &told.Unit
		v.StageRatio = new(min(float64(told.Done)/float64(told.Of), 1))
	}
}

func queue(p *jobs.Position) *Queue {
	if p == nil {
		return nil
	}
	v := &Queue{Position: p.Own, Ahead: p.Everybodys - 1}
	if p.Own == 0 {
		v.Position, v.Capped = p.Counted(), true
	}
	if p.Everybodys == 0 {
		v.Ahead, v.Capped = p.Counted(), true
	}
	return v
}

func source(t *dbsqlc.Transcode) Source {
	v := Source{Location: t.SourceURL, DurationMS: t.SourceDurationMs}
	probed, err := jobs.SourceOf(t)
	if err != nil {
		return v // nobody has looked at it yet
	}
	v.Frames, v.Width, v.Height, v.VideoCodec = &probed.Video.Frames, &probed.Video.Width, &probed.Video.Height, &probed.Video.Codec
	if probed.Audio != nil {
		v.AudioCodec = &probed.Audio.Codec
	}
	return v
}

func rendition(r *dbsqlc.Rendition, sourceMS *int64) Rendition {
	v := Rendition{
		Name: r.Name, State: r.State, Width: r.PlannedWidth, Height: r.PlannedHeight, AskedWidth: r.Width, AskedHeight: r.Height,
		Bitrate: r.Bitrate, FPS: r.FPS, FPSDen: r.FPSDen, Frames: r.Frames, DurationMS: r.DurationMs, Bytes: r.ObjectBytes, Location: r.ObjectURL,
		Error: failure(r.ErrorCode, r.ErrorStage, r.ErrorMessage),
	}
	switch {
	case r.State == jobs.RenditionOK:
		v.Ratio = 1
	case sourceMS != nil && *sourceMS > 0:
		// Mist pushes the padding's first moments too.
		v.Ratio = min(float64(r.PushedMs)/float64(*sourceMS), 1)
	}
	return v
}

func made(o *dbsqlc.Output) MadeOutput {
	v := MadeOutput{
		Type: o.Type, State: o.State, Location: o.URL, Manifest: o.ManifestURL, Bytes: o.Bytes, Objects: []StoredObject{},
		Skipped: o.SkippedReason, Error: failure(o.ErrorCode, o.ErrorStage, o.ErrorMessage),
	}
	objects, err := jobs.ObjectsOf(o)
	if err != nil {
		return v // the daemon that wrote it tests it
	}
	for _, of := range objects {
		v.Objects = append(v.Objects, StoredObject{
			Kind: of.Kind, Rendition: of.Rendition, Location: of.URL, Bytes: of.Bytes, Checksum: of.Checksum, Objects: of.Objects,
		})
	}
	return v
}

// warnings are none where the row can't be read: the daemon that wrote it tests them.
func warnings(t *dbsqlc.Transcode) []Warning {
	list := []Warning{}
	known, err := jobs.WarningsOf(t)
	if err != nil {
		return list
	}
	for _, w := range known {
		list = append(list, Warning(w))
	}
	return list
}

// FailureOf shows a failure; nil: there is none.
func FailureOf(f *jobs.Failure) *Failure {
	if f == nil {
		return nil
	}
	stage := string(f.Stage)
	return failure(&f.Code, &stage, &f.Text)
}

func failure(code, stage, message *string) *Failure {
	if code == nil {
		return nil
	}
	kind := jobs.KindOf(*code)
	f := &Failure{Code: *code, Blame: string(kind.Blame), Retriable: kind.Retriable, Message: kind.Words}
	if stage != nil {
		f.Stage = *stage
	}
	if message != nil && *message != "" {
		f.Message = *message
	}
	return f
}
