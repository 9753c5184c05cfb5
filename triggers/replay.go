package triggers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// replayWorker handles events again that an operator asks for.
type replayWorker struct {
	river.WorkerDefaults[jobs.ReplayArgs]
	listener *Listener
}

// Room adds the kind of job that has l handle an event again; its queue is the host's.
func (l *Listener) Room(settings *river.Config) {
	river.AddWorker(settings.Workers, &replayWorker{listener: l})
}

// NoRoom is the part of a daemon that no Mist posts to: it knows the kind.
func NoRoom(settings *river.Config) { river.AddWorker(settings.Workers, &replayWorker{}) }

// Timeout implements river.Worker.
func (w *replayWorker) Timeout(*river.Job[jobs.ReplayArgs]) time.Duration { return 2 * recordTimeout } //nolint:mnd // its transaction, and River's own

// NextRetry implements river.Worker.
func (w *replayWorker) NextRetry(*river.Job[jobs.ReplayArgs]) time.Time {
	return time.Now().Add(jobs.TroubleEvery)
}

// Work implements river.Worker.
func (w *replayWorker) Work(ctx context.Context, job *river.Job[jobs.ReplayArgs]) error {
	l := w.listener
	if l == nil {
		return river.JobCancel(errors.New("this daemon has no Mist"))
	}
	limited, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	e, err := l.replay(limited, job.Args.EventID)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("event %d is gone", job.Args.EventID))
	}
	if err != nil {
		return fmt.Errorf("replay event %d: %w", job.Args.EventID, err)
	}
	l.cfg.Logger.InfoContext(ctx, "trigger replayed", "event", job.Args.EventID, "trigger", e.row.Trigger, "stream", e.row.Stream,
		"verdict", e.row.Verdict, "note", e.row.Note)
	if e.matched() {
		l.cfg.Wake(e.name.Transcode)
	}
	return nil
}

// replay reads a recorded event as if it had just been posted, and takes it again. What was
// made of one that was applied before, and that changes nothing any more, stays written.
func (l *Listener) replay(ctx context.Context, id int64) (*event, error) {
	var e event
	err := db.InTx(ctx, l.cfg.DB, func(tx pgx.Tx) error {
		row, err := dbsqlc.New().MistEventGet(ctx, tx, id)
		if err != nil {
			return err
		}
		e = l.read(&post{trigger: row.Trigger, uuid: row.UUID, headers: row.Headers, payload: row.Payload, size: row.PayloadBytes})
		changed, err := e.again(ctx, tx)
		if err != nil {
			return err
		}
		note := row.Note
		if changed || row.Verdict != verdictApplied {
			note = clean("replayed: "+e.row.Note, maxNote)
		} else {
			e.row.Verdict = row.Verdict
		}
		return dbsqlc.New().MistEventSetVerdict(ctx, tx, dbsqlc.MistEventSetVerdictParams{ID: id, Verdict: e.row.Verdict, Note: note})
	})
	return &e, err
}

// again writes what an event changes, or why it changes nothing; changed: it does. Any number
// of times it comes to the same.
func (e *event) again(ctx context.Context, tx pgx.Tx) (changed bool, err error) {
	seen, err := hinted(ctx, tx, e)
	if err != nil || !e.matched() {
		return false, err
	}
	q := dbsqlc.New()
	for _, effect := range e.take(seen) {
		var rows int64
		if effect.track != nil {
			index := int32(effect.track.Index)
			rows, err = q.RenditionSetTrack(ctx, tx, dbsqlc.RenditionSetTrackParams{
				TranscodeID: e.name.Transcode, Attempt: *e.row.Attempt, Ordinal: effect.ordinal, TrackIndex: &index,
			})
		} else {
			rows, err = q.RenditionSetRecorded(ctx, tx, dbsqlc.RenditionSetRecordedParams{
				TranscodeID: e.name.Transcode, Attempt: *e.row.Attempt, Name: effect.rendition,
				RecordedBytes: &effect.file.bytes, RecordedReason: &effect.file.reason, PushedMs: effect.file.mediaMS,
			})
		}
		if err != nil {
			return false, fmt.Errorf("change rendition %s: %w", effect.rendition, err)
		}
		changed = changed || rows > 0
	}
	return changed, nil
}
