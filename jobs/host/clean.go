package host

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/trace"
)

// letGo stops what runs, without a word to the database, which may be what is out
// of reach: another host may begin once the lease has ended. What is pushed stays.
func (s *supervisor) letGo(ctx context.Context) {
	if s.process == nil || s.gone {
		return
	}
	s.log.WarnContext(ctx, "the lease ends: process stopped", "pid", s.process.ID())
	s.gone = true
	if err := s.process.Stop(ctx, stopGrace); err != nil {
		s.log.WarnContext(ctx, "process not stopped", "error", err)
	}
	if err := s.host.Engine.Remove(ctx, s.name); err != nil {
		s.log.WarnContext(ctx, "streams not removed", "error", err)
	}
}

// finish says that Mist is done: the slot is free for another.
func (s *supervisor) finish(ctx context.Context, rows *jobs.Rows) error {
	err := s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := dbsqlc.New()
		// No row when the stores were quicker and the outcome is decided.
		if _, err := q.TranscodeSetStoring(ctx, tx, dbsqlc.TranscodeSetStoringParams{ID: s.name.Transcode, Attempt: s.number()}); err != nil {
			return err
		}
		changed, err := q.AttemptSetTranscoded(ctx, tx, dbsqlc.AttemptSetTranscodedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID,
		})
		if err := fenced("record the end", changed, err); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: s.client}.TellOfRoom(ctx)
	})
	if err != nil {
		return fmt.Errorf("finish %s: %w", s.name, err)
	}
	jobs.Crash(jobs.CrashTranscoded)
	if from := rows.Attempt.ProcessStartedAt; from != nil {
		broadcaster := ""
		if b := rows.Attempt.Broadcaster; b != nil {
			broadcaster = *b
		}
		s.host.Trace.Record(ctx, trace.Transcode, *from, s.host.clock.now(), "broadcaster", broadcaster,
			"hung_starts", rows.Attempt.HungStarts, "reruns", rows.Attempt.Reruns)
	}
	return nil
}

// clean removes what the attempt left in Mist and on the machine, and then the
// spool folder if nothing of it is still to be stored. It may run again. The process and
// its inputs are asked to go; then Mist ends what is left of the streams; what outlives
// that is killed. The outcome and the slot are not waiting for it.
func (s *supervisor) clean(ctx context.Context) error {
	gone, err := s.stopProcess(ctx)
	if err != nil {
		return err
	}
	jobs.Crash(jobs.CrashProcessStopped)
	look, err := s.host.Engine.Look(ctx, s.name)
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	for _, push := range look.Pushes {
		if push.Name == s.name {
			if err := s.host.Engine.StopPush(ctx, push.ID); err != nil {
				return fmt.Errorf("clean %s: %w", s.name, err)
			}
		}
	}
	if err := s.host.Engine.Remove(ctx, s.name); err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	if !gone {
		if err := s.process.Stop(ctx, nukePatience); err != nil {
			return fmt.Errorf("clean %s: %w", s.name, err)
		}
	}
	jobs.Crash(jobs.CrashStreamsRemoved)
	err = s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := dbsqlc.New().AttemptSetCleaned(ctx, tx, dbsqlc.AttemptSetCleanedParams{
			TranscodeID: s.name.Transcode, Number: s.number(),
		}); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: s.client}.TellOfRoom(ctx)
	})
	if err != nil {
		return fmt.Errorf("clean %s: %w", s.name, err)
	}
	jobs.Crash(jobs.CrashCleaned)
	if err := s.host.removeFolder(ctx, s.name); err != nil {
		return err
	}
	s.log.InfoContext(ctx, "attempt cleaned up")
	return nil
}

// stopProcess asks the attempt's process, recorded or not, and its inputs to end, and
// says whether they did.
func (s *supervisor) stopProcess(ctx context.Context) (gone bool, err error) {
	a, err := dbsqlc.New().AttemptGet(ctx, s.host.DB, dbsqlc.AttemptGetParams{TranscodeID: s.name.Transcode, Number: s.number()})
	if err != nil {
		return false, fmt.Errorf("clean %s: %w", s.name, err)
	}
	if s.process == nil && a.Process != nil {
		if s.process, err = s.host.Engine.Attach(*a.Process); err != nil {
			return false, fmt.Errorf("clean %s: %w", s.name, err)
		}
	}
	if s.process == nil {
		if s.process, err = s.unrecorded(); err != nil {
			return false, fmt.Errorf("clean %s: %w", s.name, err)
		}
	}
	if s.process == nil {
		return true, nil
	}
	if gone, err = s.process.Terminate(ctx, inputPatience); err != nil {
		return false, fmt.Errorf("clean %s: %w", s.name, err)
	}
	return gone, nil
}
