package host

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/trace"
)

// pushAll starts the pushes of all tracks at once: with a look at Mist between them, a
// slow Mist would have a short source go before the last. One that Mist does not take is
// tried again, for as long as the plan says; did is DoWait where all were so.
func (s *supervisor) pushAll(ctx context.Context, rows *jobs.Rows) (did jobs.Do, err error) {
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return "", s.giveUp(ctx, jobs.FailureOf(err, jobs.StagePush))
	}
	taken := dbsqlc.RenditionSetPushParams{TranscodeID: s.name.Transcode, Attempt: s.number()}
	s.refused = map[string]bool{}
	var failed error
	for i := range rows.Renditions {
		r := &rows.Renditions[i]
		if !jobs.Pushable(r, s.number()) {
			continue
		}
		id, err := s.host.Engine.Push(ctx, s.name, s.host.pushedPath(s.name, r.Name), int(*r.TrackIndex), prepared.StopMS)
		if errors.Is(err, engine.ErrPushNotStarted) {
			s.refused[r.Name] = true
			continue
		}
		if err != nil {
			failed = fmt.Errorf("push %s: %w", r.Name, err)
			break
		}
		jobs.Crash(jobs.CrashPushStarted)
		taken.Names, taken.Pids = append(taken.Names, r.Name), append(taken.Pids, int32(id))
	}
	if len(taken.Names) == 0 {
		return jobs.DoWait, failed
	}
	changed := int64(0)
	err = s.exec(ctx, func(ctx context.Context, on db.Queryer) (err error) {
		changed, err = dbsqlc.New().RenditionSetPush(ctx, on, taken)
		return err
	})
	jobs.Crash(jobs.CrashPushRecorded)
	if err := errors.Join(fenced("record the pushes", changed, err), failed); err != nil {
		return "", err
	}
	return jobs.DoPush, s.sound(ctx, rows)
}

// sound has the renditions' sound made while their picture comes back.
func (s *supervisor) sound(ctx context.Context, rows *jobs.Rows) error {
	source, err := sourceOf(&rows.Transcode)
	if err != nil {
		return err
	}
	prepared, err := preparedOf(&rows.Attempt)
	if err != nil {
		return err
	}
	s.host.follows.sound(ctx, s.host.Media, s.host.sourcePath(s.name), source, prepared)
	return nil
}

// over are all renditions whose push is over, with the first that the plan has found: as it
// would find one after the other.
func over(rows jobs.Rows, first *dbsqlc.Rendition, now time.Time) []*dbsqlc.Rendition {
	found := []*dbsqlc.Rendition{first}
	rows.Renditions = slices.Clone(rows.Renditions)
	for {
		for i := range rows.Renditions {
			if rows.Renditions[i].Name == found[len(found)-1].Name {
				rows.Renditions[i].State = jobs.RenditionPushed
			}
		}
		next := jobs.Plan(rows, now)
		if next.Do != jobs.DoPushed {
			return found
		}
		found = append(found, next.Rendition)
	}
}

// pushed hands files over to their store jobs, in one transaction.
func (s *supervisor) pushed(ctx context.Context, renditions []*dbsqlc.Rendition) error {
	for _, r := range renditions {
		s.host.follows.over(s.host.pushedPath(s.name, r.Name))
	}
	err := s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		// Locks in the order in which a cancel takes them.
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		for _, r := range renditions {
			job, err := s.client.InsertTx(ctx, tx, jobs.StoreArgs{TranscodeID: s.name.Transcode, Attempt: s.number(), Rendition: r.Name},
				&river.InsertOpts{Queue: jobs.StoreQueue(s.host.ID)})
			if err != nil {
				return err
			}
			changed, err := dbsqlc.New().RenditionSetPushed(ctx, tx, dbsqlc.RenditionSetPushedParams{
				TranscodeID: s.name.Transcode, Name: r.Name, Attempt: s.number(), JobID: &job.Job.ID,
			})
			if err := fenced("record the file of "+r.Name, changed, err); err != nil {
				return err
			}
			jobs.Crash(jobs.CrashPushed)
		}
		return nil
	})
	jobs.Crash(jobs.CrashPushedRecorded)
	if err != nil {
		return fmt.Errorf("hand over %s: %w", s.name, err)
	}
	for _, r := range renditions {
		if r.PushStartedAt != nil {
			s.host.Trace.Record(ctx, trace.Push, *r.PushStartedAt, s.host.clock.now(), "rendition", r.Name, "bytes", s.seen.FileBytes[r.Name])
		}
		if r.RecordedReason == nil { // the end was seen in Mist's list alone
			s.host.meter().Missed("RECORDING_END")
		}
		s.log.InfoContext(ctx, "rendition pushed", "rendition", r.Name, "bytes", s.seen.FileBytes[r.Name])
	}
	return nil
}

func (s *supervisor) failRendition(ctx context.Context, name string, f *jobs.Failure) error {
	s.log.WarnContext(ctx, "rendition failed", "rendition", name, "code", f.Code, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return s.decider(tx).FailRendition(ctx, s.name.Transcode, s.number(), name, f)
	})
	if err != nil {
		return fmt.Errorf("fail %s of %s: %w", name, s.name, err)
	}
	return nil
}
