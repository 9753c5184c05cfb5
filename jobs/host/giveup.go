package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// decider decides within tx.
func (s *supervisor) decider(tx pgx.Tx) jobs.Decider { return jobs.Decider{Tx: tx, River: s.client} }

// own makes sure, to the end of tx, that this boot has the attempt: what it decided
// may be long ago, and another boot of the host may have taken it up since. Behind
// the transcode's lock, where there is one.
func (s *supervisor) own(ctx context.Context, tx pgx.Tx) error {
	_, err := dbsqlc.New().AttemptOwn(ctx, tx, dbsqlc.AttemptOwnParams{
		TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID,
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return errFenced
	}
	return err
}

// giveUp fails all that is not pushed. What is pushed may still be stored; the last
// of them settles the attempt.
func (s *supervisor) giveUp(ctx context.Context, f *jobs.Failure) error {
	s.log.WarnContext(ctx, "attempt failed", "code", f.Code, "stage", f.Stage, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return s.decider(tx).FailUnpushed(ctx, s.name.Transcode, s.number(), f)
	})
	if err != nil {
		return fmt.Errorf("give up %s: %w", s.name, err)
	}
	return nil
}

// settle decides what nobody else will.
func (s *supervisor) settle(ctx context.Context) error {
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return s.decider(tx).Settle(ctx, s.name.Transcode, s.number())
	})
	if err != nil {
		return fmt.Errorf("settle %s: %w", s.name, err)
	}
	return nil
}
