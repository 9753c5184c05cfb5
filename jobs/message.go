package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/media"
	"weir/studio"
)

const microsecond = 1e-6 // in seconds

// writeCallback writes the run's one terminal callback and the job that delivers
// it. The transcode is as it ended.
func writeCallback(ctx context.Context, tx pgx.Tx, client *river.Client[pgx.Tx], t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	id, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("make an event id: %w", err)
	}
	message, err := terminalMessage(id, t, renditions)
	if err != nil {
		return err
	}
	warnings, err := WarningsOf(t)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		message.Warnings = append(message.Warnings, studio.Warning(w))
	}
	body, err := message.Body()
	if err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	if _, err := dbsqlc.New().CallbackInsert(ctx, tx, dbsqlc.CallbackInsertParams{
		ID: id, TranscodeID: t.ID, Run: t.Run, URL: t.CallbackURL, Body: string(body),
	}); err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	if err := insertCallback(ctx, tx, client, CallbackArgs{CallbackID: id}); err != nil {
		return fmt.Errorf("write the callback of %s: %w", t.ID, err)
	}
	return nil
}

func subjectOf(t *dbsqlc.Transcode) studio.Subject {
	s := studio.Subject{RequestID: t.ID.String(), Attempt: int(t.Attempt), Ratio: t.Ratio, At: time.Now()}
	if t.ExternalID != nil {
		s.ExternalID = *t.ExternalID
	}
	return s
}

func terminalMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) (studio.Message, error) {
	switch t.State {
	case StateSucceeded:
		return successMessage(id, t, renditions)
	case StateCancelled:
		return studio.Cancelled(subjectOf(t), id.String()), nil
	default:
		f := Failure{Code: *t.ErrorCode, Stage: Stage(*t.ErrorStage), Text: *t.ErrorMessage}
		return studio.Failure(subjectOf(t), id.String(), f.Code, f.Text, f.Retriable()), nil
	}
}

func successMessage(id uuid.UUID, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) (studio.Message, error) {
	source, err := sourceOf(t)
	if err != nil {
		return studio.Message{}, err
	}
	output := studio.Output{Type: studio.OutputObjectStore}
	for _, r := range renditions {
		var verdict media.Verdict
		if err := json.Unmarshal(r.Verdict, &verdict); err != nil {
			return studio.Message{}, fmt.Errorf("read the verdict on %s: %w", r.Name, err)
		}
		output.Videos = append(output.Videos, studio.File{
			Type: studio.FileTS, Size: *r.ObjectBytes, Location: *r.ObjectURL,
			Name: r.Name, Width: verdict.Width, Height: verdict.Height,
		})
	}
	return studio.Success(subjectOf(t), id.String(), specOf(source), []studio.Output{output}), nil
}

func specOf(source media.Source) studio.VideoSpec {
	duration := float64(source.DurationUS) * microsecond
	v := source.Video
	spec := studio.VideoSpec{
		Format: source.Container, Duration: duration, Size: source.Bytes,
		Tracks: []studio.Track{studio.Track{
			Type: "video", Codec: v.Codec, Bitrate: v.BitRate, Duration: duration, StartTime: float64(v.StartUS) * microsecond,
			Width: v.Width, Height: v.Height, PixelFormat: v.PixFmt,
		}.Video(v.Rate.FPS())},
	}
	if a := source.Audio; a != nil {
		spec.Tracks = append(spec.Tracks, studio.Track{
			Type: "audio", Codec: a.Codec, Bitrate: a.BitRate, Duration: float64(a.DurationUS) * microsecond,
			StartTime: float64(a.StartUS) * microsecond, Channels: a.Channels, SampleRate: a.SampleRate,
		})
	}
	return spec
}

// statusOf is the word for a transcode that has not ended.
func statusOf(t *dbsqlc.Transcode, stage string) studio.Status {
	switch {
	case t.State == StateStoring, t.State == StateRunning && (stage == AttemptStarted || stage == AttemptTranscoded):
		return studio.StatusTranscoding
	case t.State == StateRunning && stage == AttemptPrepared && t.Ratio > sharePrepared:
		return studio.StatusTranscoding // its process starts again
	case t.State == StateRunning && stage == AttemptPrepared:
		return studio.StatusPreparingComplete
	default:
		return studio.StatusPreparing
	}
}
