package host

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// againGrace is what a process and its inputs get to go before another one starts:
	// the real ones take up to 3 s, a hung one would take 45.
	againGrace = 5 * time.Second
	// againClear is how long Mist may take to forget streams whose input had to be killed.
	againClear = 15 * time.Second
	// againLook is how often it is looked whether it has.
	againLook = 200 * time.Millisecond
)

// startAgain stops the process and all that it started, and takes the attempt back to
// where it is prepared. What is pushed stays.
func (s *supervisor) startAgain(ctx context.Context, rows *jobs.Rows, rerun bool) error {
	s.log.WarnContext(ctx, "process starts again", "rerun", rerun, "hung starts", rows.Attempt.HungStarts,
		"reruns", rows.Attempt.Reruns, "why", s.processText(ctx))
	if s.process != nil {
		if err := s.clear(ctx); err != nil {
			return fmt.Errorf("start %s again: %w", s.name, err)
		}
	}
	for _, r := range rows.Renditions {
		if r.Attempt == s.number() && (r.State == jobs.RenditionExpected || r.State == jobs.RenditionPushing) {
			// Half a file would pass for a push that is over.
			path := s.host.pushedPath(s.name, r.Name)
			s.host.follows.drop(func(followed string) bool { return followed == path })
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return fmt.Errorf("start %s again: %w", s.name, err)
			}
		}
	}
	jobs.Crash(jobs.CrashStoppedAgain)
	params := dbsqlc.AttemptStartAgainParams{TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID}
	if rerun {
		params.Reruns = 1
	} else {
		params.HungStarts = 1
	}
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		changed, err := q.AttemptStartAgain(ctx, tx, params)
		if err := fenced("record the stop", changed, err); err != nil {
			return err
		}
		return q.RenditionExpectAgain(ctx, tx, dbsqlc.RenditionExpectAgainParams{TranscodeID: s.name.Transcode, Attempt: s.number()})
	})
	if err != nil {
		return fmt.Errorf("start %s again: %w", s.name, err)
	}
	jobs.Crash(jobs.CrashAgainRecorded)
	s.process, s.seen, s.tracksFrom, s.trackless = nil, jobs.Seen{StopFrom: s.seen.StopFrom}, time.Time{}, nil
	s.startSeen, s.refused = time.Time{}, nil
	return nil
}

// clear ends the process with its inputs, so that the next one finds neither them nor
// their memory. Inputs that go by themselves take their streams with them; of those that
// have to be killed Mist must sweep up, and until it has, it would take the next one's too.
func (s *supervisor) clear(ctx context.Context) error {
	gone, err := s.process.Terminate(ctx, againGrace)
	if err != nil || gone {
		return err
	}
	if err := s.process.Kill(ctx); err != nil {
		return err
	}
	if err := s.host.Engine.Remove(ctx, s.name); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, againClear)
	defer cancel()
	tick := time.NewTicker(againLook)
	defer tick.Stop()
	for {
		look, err := s.host.Engine.Look(ctx, s.name)
		if err != nil {
			return err
		}
		used, err := s.host.Engine.InUse()
		if err != nil {
			return err
		}
		if !used[s.name] && !look.Running[s.name] {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for Mist to forget the streams: %w", ctx.Err())
		}
	}
}
