package jobs

import (
	"bytes"
	"context"
	"fmt"
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
	told, err := terminalMessage(id, t, renditions)
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
	if _, err := dbsqlc.New().CallbackInsert(ctx, d.Tx, dbsqlc.CallbackInsertParams{
		ID: id, TranscodeID: t.ID, Run: t.Run, URL: t.CallbackURL, Body: string(body), Missed: told.Missed,
	}); err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	if err := d.InsertCallback(ctx, CallbackArgs{CallbackID: id}); err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	return nil
}

func subjectOf(t *dbsqlc.Transcode) subject {
	s := subject{RequestID: t.ID.String(), Run: int(t.Run), Attempt: int(t.Attempt), Ratio: t.Ratio, At: time.Now()}
	if t.ExternalID != nil {
		s.ExternalID = *t.ExternalID
	}
	if !bytes.Equal(t.Metadata, emptyObject) {
		s.Metadata = t.Metadata
	}
	if !bytes.Equal(t.Labels, emptyObject) {
		s.Labels = t.Labels
	}
	return s
}

func terminalMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) (message, error) {
	switch t.State {
	case StateSucceeded:
		return successMessage(id, t, renditions)
	case StateCancelled:
		return subjectOf(t).cancelled(id.String()), nil
	default:
		f := Failure{Code: *t.ErrorCode, Stage: Stage(*t.ErrorStage), Text: *t.ErrorMessage}
		return subjectOf(t).failure(id.String(), f.Code, f.Text, f.Retriable()), nil
	}
}

func successMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) (message, error) {
	source, err := SourceOf(t)
	if err != nil {
		return message{}, err
	}
	place := output{Type: outputObjectStore}
	for _, r := range renditions {
		judged, err := judgedOf(&r)
		if err != nil {
			return message{}, err
		}
		place.Videos = append(place.Videos, storedFile{
			Type: fileTS, Size: *r.ObjectBytes, Location: *r.ObjectURL,
			Name: r.Name, Width: judged.Width, Height: judged.Height,
		})
	}
	return subjectOf(t).success(id.String(), specOf(source), []output{place}), nil
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
