package jobs

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
)

const microsecond = 1e-6 // in seconds

// writeCallback writes the run's one terminal callback and the job that delivers
// it. The transcode is as it ended.
func (d Decider) writeCallback(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an event id: %w", err)
	}
	outputs, err := dbsqlc.New().OutputList(ctx, d.Tx, t.ID)
	if err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	told, err := terminalMessage(id, t, renditions, outputs)
	if err != nil {
		return err
	}
	warnings, err := WarningsOf(t)
	if err != nil {
		return err
	}
	told.Warnings = warnings
	if told.Missed, err = Missed(ctx, d.Tx, t.Tenant); err != nil {
		return err
	}
	body, err := told.body()
	if err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	job, err := d.River.InsertTx(ctx, d.Tx, CallbackArgs{CallbackID: id}, nil)
	if err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	if _, err := dbsqlc.New().CallbackInsert(ctx, d.Tx, dbsqlc.CallbackInsertParams{
		ID: id, TranscodeID: t.ID, Run: t.Run, URL: t.CallbackURL, Body: string(body), Missed: told.Missed, JobID: &job.Job.ID,
	}); err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	return nil
}

func subjectOf(t *dbsqlc.Transcode) subject {
	s := subject{RequestID: t.ID.String(), Run: int(t.Run), Attempt: int(t.Attempt), Ratio: t.Ratio, At: time.Now()}
	if named := TaskOf(t); named != nil {
		s.ExternalID = *named
	}
	if !bytes.Equal(t.Metadata, emptyObject) {
		s.Metadata = t.Metadata
	}
	if !bytes.Equal(t.Labels, emptyObject) {
		s.Labels = t.Labels
	}
	return s
}

func terminalMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, outputs []dbsqlc.Output) (message, error) {
	switch t.State {
	case StateSucceeded:
		return successMessage(id, t, renditions, outputs)
	case StateCancelled:
		return subjectOf(t).cancelled(id.String()), nil
	default:
		f := Failure{Code: *t.ErrorCode, Stage: Stage(*t.ErrorStage), Text: *t.ErrorMessage}
		return subjectOf(t).failure(id.String(), f.Code, f.Text, f.Retriable()), nil
	}
}

// successMessage has one output whatever was asked for: the task runner finds entries by
// their place in the list, and the second one of its own request has no name there.
func successMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, outputs []dbsqlc.Output) (message, error) {
	source, err := SourceOf(t)
	if err != nil {
		return message{}, err
	}
	place := output{Type: outputObjectStore, Videos: []storedFile{}}
	sizes := map[string]judgedFacts{}
	for _, r := range renditions {
		if sizes[r.Name], err = judgedOf(&r); err != nil {
			return message{}, err
		}
	}
	for i := range outputs {
		// A clip's second HLS is nothing that the task runner asks for by its renditions.
		if t.Form == FormVOD && outputs[i].Type == OutputHLS && len(place.Videos) > 0 {
			continue
		}
		if err := place.add(&outputs[i]); err != nil {
			return message{}, err
		}
	}
	if t.Packages {
		place.Manifest = beginning(t, outputs, &place)
	}
	if FilesKept(t, outputs) {
		for _, r := range renditions {
			place.Videos = append(place.Videos, storedFile{
				Type: fileTS, Size: *r.ObjectBytes, Location: *r.ObjectURL,
				Name: r.Name, Width: sizes[r.Name].Width, Height: sizes[r.Name].Height,
			})
		}
	}
	return subjectOf(t).success(id.String(), specOf(source), []output{place}), nil
}

// FilesKept says whether a transcode's renditions' own files stay: they go where more is
// made of them and nobody asked for them.
func FilesKept(t *dbsqlc.Transcode, outputs []dbsqlc.Output) bool {
	return !t.Packages || slices.ContainsFunc(outputs, func(o dbsqlc.Output) bool { return o.Type == OutputTS })
}

// beginning is where a player begins, HLS before all else. The task runner wants one in
// any case, below the output's folder.
func beginning(t *dbsqlc.Transcode, outputs []dbsqlc.Output, place *output) string {
	for _, kind := range []string{OutputHLS, OutputFMP4} {
		for _, o := range outputs {
			if o.Type == kind && o.ManifestURL != nil {
				return *o.ManifestURL
			}
		}
	}
	if len(place.MP4Outputs) > 0 {
		return place.MP4Outputs[0].Location
	}
	return strings.TrimSuffix(t.OutputURL, "/") + "/"
}

// add adds what was made.
func (p *output) add(o *dbsqlc.Output) error {
	objects, err := ObjectsOf(o)
	if err != nil || o.State != OutputOK {
		return err
	}
	segments := map[string]int64{}
	for _, object := range objects {
		if object.Kind == ObjectSegments {
			segments[object.Rendition] = object.Bytes
		}
	}
	for _, object := range objects {
		file := storedFile{
			Size: object.Bytes, Location: object.URL, Name: object.Rendition,
			Width: object.Width, Height: object.Height, Bitrate: object.BitRate,
		}
		switch {
		case o.Type == OutputHLS && object.Kind == ObjectPlaylist:
			file.Type, file.Size = fileHLS, segments[object.Rendition]
			p.Videos = append(p.Videos, file)
		case o.Type == OutputMP4 && object.Kind == ObjectFile:
			file.Type = fileMP4
			p.MP4Outputs = append(p.MP4Outputs, file)
		case o.Type == OutputFMP4 && object.Kind == ObjectMaster:
			file.Type = fileFragmented
			p.MP4Outputs = append(p.MP4Outputs, file)
		}
	}
	return nil
}

func specOf(source SourceFacts) videoSpec {
	duration := float64(source.DurationUS) * microsecond
	v := source.Video
	spec := videoSpec{
		Format: source.Container, Duration: duration, Size: source.Bytes,
		Tracks: []track{track{
			Type: "video", Codec: v.Codec, Bitrate: v.BitRate, Duration: duration, StartTime: float64(v.StartUS) * microsecond,
			Width: v.Width, Height: v.Height, PixelFormat: v.PixFmt,
		}.video(v.Rate.perSecond())},
	}
	if a := source.Audio; a != nil {
		spec.Tracks = append(spec.Tracks, track{
			Type: "audio", Codec: a.Codec, Bitrate: a.BitRate, Duration: float64(a.DurationUS) * microsecond,
			StartTime: float64(a.StartUS) * microsecond, Channels: a.Channels, SampleRate: a.SampleRate,
		})
	}
	return spec
}

// missedMost bounds a message: what it does not hold is told by the next one.
const missedMost = 50

// Missed are the events of a tenant that were not delivered in a day and that no message
// has told yet, the oldest first. They are told once a message that names them is
// delivered, so that two may name the same.
func Missed(ctx context.Context, on dbsqlc.DBTX, tenant string) ([]uuid.UUID, error) {
	missed, err := dbsqlc.New().MissedEventList(ctx, on, dbsqlc.MissedEventListParams{Tenant: tenant, PageSize: missedMost})
	if err != nil {
		return nil, fmt.Errorf("read what %s missed: %w", tenant, err)
	}
	return missed, nil
}

// ProgressBody is the body of a status: how far a transcode is that has not ended, and
// whose newest attempt has done this step last. missed are told along with it.
func ProgressBody(t *dbsqlc.Transcode, done string, missed []uuid.UUID) ([]byte, error) {
	told := subjectOf(t).message(statusOf(t, done))
	told.Stage = StageAt(t, done)
	if p := ProgressOf(t); p != nil && p.Stage == StagePackage {
		told.Stage = StagePackage
	}
	if p := ProgressOf(t); p != nil {
		told.Speed, told.ETASeconds = p.Speed, p.ETA(time.Now())
	}
	told.Missed = missed
	return told.body()
}

// statusOf is the word for a transcode that has not ended.
func statusOf(t *dbsqlc.Transcode, stage string) status {
	switch {
	case t.State == StateStoring, t.State == StateRunning && (stage == AttemptStarted || stage == AttemptTranscoded):
		return statusTranscoding
	case t.State == StateRunning && stage == AttemptPrepared && t.Ratio > SharePrepared:
		return statusTranscoding // its process starts again
	case t.State == StateRunning && stage == AttemptPrepared:
		return statusPreparingComplete
	default:
		return statusPreparing
	}
}
