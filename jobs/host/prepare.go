package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/ladder"
	"weir/jobs/trace"
	"weir/media"
)

// prepare probes the source, makes the padded file that Mist reads, and plans the
// renditions by it.
func (s *supervisor) prepare(ctx context.Context, rows *jobs.Rows) error {
	h := s.host
	path := h.sourcePath(s.name)
	began := time.Now()
	source, err := s.probe(ctx, path, *rows.Attempt.SourceBytes)
	if err != nil {
		return err
	}
	probed := time.Now()
	reads := time.Duration(source.DurationUS) * time.Microsecond
	if source, err = cut(rows, source); err != nil {
		return err
	}
	prepared, err := s.prepareSource(ctx, rows, source, path, reads)
	if err != nil {
		return err
	}
	s.log.InfoContext(ctx, "source prepared", "frames", prepared.Frames, "reencoded", prepared.Reencoded,
		"probe", probed.Sub(began), "prepare", time.Since(probed))
	sourceJSON, err := json.Marshal(source)
	if err != nil {
		return fmt.Errorf("write down the probe: %w", err)
	}
	preparedJSON, err := json.Marshal(prepared)
	if err != nil {
		return fmt.Errorf("write down the preparation: %w", err)
	}
	renditions, made := s.renditionsOf(rows, &source)
	warnings, err := json.Marshal(s.host.warningsOf(renditions, &prepared))
	if err != nil {
		return fmt.Errorf("write down the warnings: %w", err)
	}
	jobs.Crash(jobs.CrashPrepared)
	durationMS := max(source.DurationUS/int64(time.Millisecond/time.Microsecond), 1)
	err = s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := dbsqlc.New()
		changed, err := q.TranscodeSetSource(ctx, tx, dbsqlc.TranscodeSetSourceParams{
			ID: s.name.Transcode, Attempt: s.number(), Source: sourceJSON, SourceDurationMs: &durationMS, Warnings: warnings,
		})
		if err := fenced("record the probe", changed, err); err != nil {
			return err
		}
		if err := s.decider(tx).SetLadder(ctx, s.name.Transcode, s.number(), made); err != nil {
			return err
		}
		if err := s.planSizes(ctx, tx, renditions, &prepared); err != nil {
			return err
		}
		changed, err = q.AttemptSetPrepared(ctx, tx, dbsqlc.AttemptSetPreparedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &h.BootID, Prepared: preparedJSON,
		})
		return fenced("record the preparation", changed, err)
	})
	if err != nil {
		return &rowError{"record the preparation", err}
	}
	jobs.Crash(jobs.CrashPrepareRecorded)
	if len(made) > 0 {
		s.removeOtherLadder(ctx, rows)
	}
	return nil
}

// renditionsOf are the rows that the attempt's renditions will have, and the profiles of
// those that are still to be written: none where the request brought its own, or where an
// attempt before this one has made the same ladder of the same source.
func (s *supervisor) renditionsOf(rows *jobs.Rows, source *media.Source) (renditions []dbsqlc.Rendition, made []jobs.Profile) {
	if !rows.Transcode.Ladder {
		return rows.Renditions, nil
	}
	profiles := ladder.Of(ladder.Source{Width: source.Video.Width, Height: source.Video.Height, BitRate: source.Video.BitRate})
	for i, p := range profiles {
		renditions = append(renditions, dbsqlc.Rendition{
			TranscodeID: s.name.Transcode, Name: p.Name, Ordinal: int32(i), Attempt: s.number(),
			Width: int32(p.Width), Height: int32(p.Height), Bitrate: p.Bitrate, Quality: int32(p.Quality),
		})
	}
	// What is stored is of this source: the fetch has seen to that.
	stored := slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool { return r.State == jobs.RenditionOK })
	if stored || slices.EqualFunc(rows.Renditions, renditions, func(a, b dbsqlc.Rendition) bool {
		return a.Name == b.Name && a.Width == b.Width && a.Height == b.Height && a.Bitrate == b.Bitrate
	}) {
		return rows.Renditions, nil
	}
	return renditions, profiles
}

// removeOtherLadder removes what attempts before this one have stored of another source's
// ladder: its rows are gone, and with them who would find it.
func (s *supervisor) removeOtherLadder(ctx context.Context, rows *jobs.Rows) {
	for i := range rows.Renditions {
		for attempt := int32(1); attempt < s.number(); attempt++ {
			if err := s.host.removeResidue(ctx, &rows.Transcode, &rows.Renditions[i], attempt, true); err != nil {
				s.log.WarnContext(ctx, "what was stored of another source stays", "rendition", rows.Renditions[i].Name, "of", attempt, "why", err)
			}
		}
	}
}

// probe looks at the source, in a time that grows with its bytes.
func (s *supervisor) probe(ctx context.Context, path string, bytes int64) (media.Source, error) {
	limited, cancel := context.WithTimeout(ctx, probeLimit(bytes))
	defer cancel()
	limited, span := s.host.Trace.Begin(limited, trace.Probe, "bytes", bytes)
	source, err := s.host.Media.Probe(limited, path)
	span.End(err)
	if err != nil {
		return source, slowAt(ctx, limited, err, jobs.StageProbe)
	}
	return source, nil
}

// cut is the source, or the part of it that the request asks for.
func cut(rows *jobs.Rows, source media.Source) (media.Source, error) {
	asked := jobs.ClipOf(&rows.Transcode)
	if asked == nil {
		return source, nil
	}
	const usPerMS = int64(time.Millisecond / time.Microsecond)
	clip := media.Clip{StartUS: asked.StartMS * usPerMS, EndUS: asked.EndMS * usPerMS}
	if asked.Clock == jobs.ClockUnix {
		if rows.Attempt.SourceBegins == nil {
			return source, jobs.Failed(jobs.CodeClipUntimed, jobs.StageProbe, "")
		}
		// Who saw a recording while it went on may ask for more than there came to be of it.
		begins := rows.Attempt.SourceBegins.UnixMicro()
		clip = media.Clip{StartUS: clip.StartUS - begins, EndUS: clip.EndUS - begins, Within: true}
	}
	part, err := source.Clip(clip)
	if err != nil {
		return source, failureAt(err, jobs.StageProbe)
	}
	return part, nil
}

// prepareSource makes the prepared file, in a time that grows with the media that is read,
// and shows how far it is.
func (s *supervisor) prepareSource(ctx context.Context, rows *jobs.Rows, source media.Source, path string, reads time.Duration) (media.Prepared, error) {
	whole := time.Duration(source.DurationUS) * time.Microsecond
	limited, cancel := context.WithTimeout(ctx, prepareLimit(reads))
	defer cancel()
	damaged, err := dbsqlc.New().AttemptFailedBy(ctx, s.host.DB, dbsqlc.AttemptFailedByParams{
		TranscodeID: s.name.Transcode, ErrorCode: string(media.CodePicturesDamaged),
	})
	if err != nil {
		return media.Prepared{}, &rowError{"look for damage that was found", err}
	}
	asked, err := s.asked(ctx)
	if err != nil {
		return media.Prepared{}, err
	}
	limited, span := s.host.Trace.Begin(limited, trace.Prepare, "media", whole)
	prepared, err := s.host.Media.Prepare(limited, source, path, filepath.Dir(path), media.Options{
		Constant: slices.ContainsFunc(rows.Renditions, func(r dbsqlc.Rendition) bool { return r.FPS > 0 }),
		Encode:   damaged, HEVC: s.host.HEVC, HighDepth: s.host.HighDepth,
		AAC: jobs.ForBrowsers(asked),
		Progress: func(part float64) {
			s.host.progress.note(s.name, jobs.ShareFetched+part*(jobs.SharePrepared-jobs.ShareFetched),
				noted{jobs.StagePrepare, int64(part * float64(whole.Milliseconds())), whole.Milliseconds(), jobs.UnitMS}, whole, s.host.clock.now())
		},
	})
	span.End(err, "frames", prepared.Frames, "reencoded", prepared.Reencoded)
	if err != nil {
		return prepared, slowAt(ctx, limited, err, jobs.StagePrepare)
	}
	return prepared, nil
}

// slowAt is the failure in err, or that a part of the step had its time.
func slowAt(ctx, limited context.Context, err error, stage jobs.Stage) error {
	if ctx.Err() == nil && limited.Err() != nil {
		return jobs.Failed(jobs.CodePrepareSlow, stage, "")
	}
	return failureAt(err, stage)
}

// failureAt is the failure in err, at stage; a context's end passes through.
func failureAt(err error, stage jobs.Stage) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return jobs.FailureOf(err, stage)
}
