package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// prepare probes the source and makes the padded file that Mist reads.
func (s *supervisor) prepare(ctx context.Context, _ *Rows) error {
	h := s.host
	path := h.sourcePath(s.name)
	source, err := h.Media.Probe(ctx, path)
	if err != nil {
		return failureAt(err, StageProbe)
	}
	prepared, err := h.Media.Prepare(ctx, source, path, filepath.Dir(path))
	if err != nil {
		return failureAt(err, StagePrepare)
	}
	sourceJSON, err := json.Marshal(source)
	if err != nil {
		return fmt.Errorf("write down the probe: %w", err)
	}
	preparedJSON, err := json.Marshal(prepared)
	if err != nil {
		return fmt.Errorf("write down the preparation: %w", err)
	}
	crash(CrashPrepared)
	durationMS := max(source.DurationUS/int64(time.Millisecond/time.Microsecond), 1)
	err = db.InTx(ctx, h.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		changed, err := q.TranscodeSetSource(ctx, tx, dbsqlc.TranscodeSetSourceParams{
			ID: s.name.Transcode, Attempt: s.number(), Source: sourceJSON, SourceDurationMs: &durationMS,
		})
		if err := fenced("record the probe", changed, err); err != nil {
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
	crash(CrashPrepareRecorded)
	return nil
}

// failureAt is the failure in err, at stage; a context's end passes through.
func failureAt(err error, stage Stage) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return failureOf(err, stage)
}
