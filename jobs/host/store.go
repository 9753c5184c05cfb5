package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/media"
	"weir/storage"
)

const (
	// storeTimeout bounds one try of one rendition; stalls are noticed far earlier.
	storeTimeout = jobs.StageCeiling + storeFloor
	// A store waits so long between its tries, growing from the first to the last.
	storeRetryMin = time.Second
	storeRetryMax = time.Minute
)

type storeWorker struct {
	river.WorkerDefaults[jobs.StoreArgs]
	host *Host
}

// Timeout implements river.Worker.
func (w *storeWorker) Timeout(*river.Job[jobs.StoreArgs]) time.Duration { return storeTimeout }

// NextRetry implements river.Worker.
func (w *storeWorker) NextRetry(job *river.Job[jobs.StoreArgs]) time.Time {
	return w.host.storeRetryAt(job.Attempt)
}

// storeRetryAt is when S3 is tried again after so many tries.
func (h *Host) storeRetryAt(tries int) time.Time {
	wait := storeRetryMin << min(tries, 10) //nolint:mnd // doubles until far over the cap
	return h.clock.now().Add(min(wait, storeRetryMax))
}

// Work stores one rendition. It may run again at any point: what it does is done
// anew, to the same object, until the row says ok.
func (w *storeWorker) Work(ctx context.Context, job *river.Job[jobs.StoreArgs]) error {
	h := w.host
	name := engine.Name{Transcode: job.Args.TranscodeID, Attempt: int(job.Args.Attempt)}
	log := h.Log.With("transcode", name.Transcode, "attempt", name.Attempt, "rendition", job.Args.Rendition, "job", job.ID)
	client := river.ClientFromContext[pgx.Tx](ctx)
	s := &store{host: h, name: name}
	open, err := s.load(ctx, job.Args.Rendition)
	if err != nil {
		return err
	}
	if open {
		stored, err := s.run(ctx, storeLimit(fileBytes(h.pushedPath(name, s.rendition.Name))))
		switch {
		case err == nil:
			if err := s.commit(ctx, client, job, stored); err != nil {
				return err
			}
			log.InfoContext(ctx, "rendition stored", "bytes", stored.object.Bytes, "frames", stored.verdict.Frames,
				"finish", stored.finish, "judge", stored.judge, "upload", stored.upload)
		case ctx.Err() != nil:
			return fmt.Errorf("store %s of %s: %w", s.rendition.Name, name, context.Cause(ctx))
		case (errors.Is(err, context.DeadlineExceeded) || patientWith(err)) && job.Attempt < job.MaxAttempts:
			return fmt.Errorf("store %s of %s: %w", s.rendition.Name, name, err)
		default:
			f := s.rejected(jobs.FailureOf(err, jobs.StageStore))
			log.WarnContext(ctx, "rendition failed", "code", f.Code, "why", f.Text, "detail", f.Detail)
			if err := s.fail(ctx, client, f); err != nil {
				return err
			}
		}
	}
	return h.removeFolder(ctx, name)
}

// patientWith says whether a store waits for S3 rather than fail: the file is safe
// in the spool, and a new transcode would meet the same outage.
func patientWith(err error) bool {
	var ofStorage *storage.Error
	if !errors.As(err, &ofStorage) {
		return false
	}
	switch ofStorage.Code {
	case storage.CodeS3Unavailable, storage.CodeChecksumMismatch, storage.CodeUploadUnverified, storage.CodeSpoolFull:
		return true
	default:
		return false
	}
}

// store is one rendition on its way from the spool to S3.
type store struct {
	host      *Host
	name      engine.Name
	transcode dbsqlc.Transcode
	attempt   dbsqlc.Attempt
	rendition dbsqlc.Rendition
}

type stored struct {
	location storage.Location
	object   storage.Object
	verdict  media.Verdict
	// How long its steps took.
	finish, judge, upload time.Duration
}

// load reads the rows; open is false when there is nothing to store any more.
func (s *store) load(ctx context.Context, rendition string) (open bool, err error) {
	q := dbsqlc.New()
	number := int32(s.name.Attempt)
	s.transcode, err = q.TranscodeGet(ctx, s.host.DB, s.name.Transcode)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, river.JobCancel(fmt.Errorf("store %s of %s: %w", rendition, s.name, errGone))
	}
	if err != nil {
		return false, fmt.Errorf("store %s of %s: %w", rendition, s.name, err)
	}
	if s.attempt, err = q.AttemptGet(ctx, s.host.DB, dbsqlc.AttemptGetParams{TranscodeID: s.name.Transcode, Number: number}); err != nil {
		return false, fmt.Errorf("store %s of %s: %w", rendition, s.name, err)
	}
	if s.rendition, err = q.RenditionGet(ctx, s.host.DB, dbsqlc.RenditionGetParams{TranscodeID: s.name.Transcode, Name: rendition}); err != nil {
		return false, fmt.Errorf("store %s of %s: %w", rendition, s.name, err)
	}
	return s.rendition.State == jobs.RenditionPushed && s.rendition.Attempt == number && !jobs.Terminal(s.transcode.State), nil
}

// run finishes, judges, uploads and verifies, within limit.
func (s *store) run(ctx context.Context, limit time.Duration) (stored, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	h := s.host
	source, err := sourceOf(&s.transcode)
	if err != nil {
		return stored{}, err
	}
	prepared, err := preparedOf(&s.attempt)
	if err != nil {
		return stored{}, err
	}
	folder := filepath.Join(h.folder(s.name), outFolder)
	if err := os.MkdirAll(folder, spoolMode); err != nil {
		return stored{}, jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageStore, err.Error())
	}
	path := filepath.Join(folder, engine.File(s.rendition.Name))
	again := fileBytes(path) > 0
	began := time.Now()
	if err := h.Media.Finish(ctx, media.Pushed{
		Path: h.pushedPath(s.name, s.rendition.Name), From: h.sourcePath(s.name), Source: source, Prepared: prepared,
		FPS: frameRate(&s.rendition),
	}, path); err != nil {
		return stored{}, fmt.Errorf("finish: %w", err)
	}
	jobs.Crash(jobs.CrashFinished)
	planned := plannedSize(&s.rendition)
	finished := time.Now()
	verdict, err := h.Media.Judge(ctx, path, media.Want{
		Width: planned.Width, Height: planned.Height, FPS: frameRate(&s.rendition),
		BitRate: s.rendition.Bitrate, Source: source, Prepared: prepared,
		Followed: h.follows.over(h.pushedPath(s.name, s.rendition.Name)),
	})
	if err != nil {
		return stored{}, fmt.Errorf("judge: %w", err)
	}
	if !verdict.OK {
		return stored{}, s.behind(ctx, notOK(verdict), &prepared)
	}
	judged := time.Now()
	location, err := h.objectLocation(&s.transcode, s.rendition.Name, s.rendition.Attempt)
	if err != nil {
		return stored{}, err
	}
	if again {
		// A storage that does not let us look costs its own room, and no transcode.
		if err := h.abortUploads(ctx, location); err != nil {
			h.Log.InfoContext(ctx, "half uploads stay", "object", location, "why", err)
		}
	}
	object, err := h.Storage.Upload(ctx, location, path, storage.UploadOptions{ContentType: engine.ContentType})
	if err != nil {
		return stored{}, fmt.Errorf("upload: %w", err)
	}
	jobs.Crash(jobs.CrashUploaded)
	return stored{
		location: location, object: object, verdict: verdict,
		finish: finished.Sub(began), judge: judged.Sub(finished), upload: time.Since(judged),
	}, nil
}

func notOK(verdict media.Verdict) *jobs.Failure {
	var texts []string
	for _, problem := range verdict.Problems {
		texts = append(texts, problem.Text)
	}
	text := strings.Join(texts, "; ")
	return jobs.Failed(verdict.Problems[0].Code, jobs.StageStore, text).Telling(text)
}

// behind is f, or what is behind it: where the source's own pictures don't decode, no
// Broadcaster can return them. It is looked for only then, as it takes a decode.
func (s *store) behind(ctx context.Context, f *jobs.Failure, prepared *media.Prepared) error {
	if prepared.Reencoded != "" {
		return f
	}
	err := s.host.Media.CheckPictures(ctx, *prepared)
	var damaged *media.Error
	if errors.As(err, &damaged) && damaged.Code == media.CodePicturesDamaged || ctx.Err() != nil {
		return fmt.Errorf("look for damage: %w", err)
	}
	return f
}

// rejected is f, or what is behind it: a segment that a Broadcaster refuses is left out,
// and the rendition has a hole; one without room any more ends it early. Only the
// process's log knows.
func (s *store) rejected(f *jobs.Failure) *jobs.Failure {
	if f.Code != media.ProblemFramesMissing && f.Code != media.ProblemTooShort {
		return f
	}
	log, err := s.host.Engine.Log(s.host.folder(s.name))
	switch {
	case err != nil:
		return f
	case log.Full:
		return jobs.Failed(jobs.CodeGatewayFull, jobs.StageStore, f.Error())
	case log.Rejected != "":
		return jobs.Failed(jobs.CodeSegmentRejected, jobs.StageStore, f.Error()).Telling(log.Rejected)
	}
	return f
}

// objectLocation is where the object of a rendition in an attempt goes. The attempt is
// in its key: what an old one still writes can't touch what a newer one relies on.
func (h *Host) objectLocation(t *dbsqlc.Transcode, rendition string, attempt int32) (storage.Location, error) {
	url, err := h.open(t, jobs.SealedOutput, t.OutputSealed)
	if err != nil {
		return storage.Location{}, err
	}
	prefix, err := storage.ParseLocation(url)
	if err != nil {
		return storage.Location{}, fmt.Errorf("output: %w", err)
	}
	return prefix.Join(t.ID.String(), strconv.Itoa(int(attempt)), engine.File(rendition)), nil
}

// commit makes the rendition ok and settles the transcode, in one transaction with
// the job's completion. Fenced: when the row has moved on, the object is nobody's
// and is removed.
func (s *store) commit(ctx context.Context, client *river.Client[pgx.Tx], job *river.Job[jobs.StoreArgs], done stored) error {
	verdict, err := json.Marshal(done.verdict)
	if err != nil {
		return fmt.Errorf("write down the verdict: %w", err)
	}
	url := done.location.String()
	orphan := false
	err = db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		t, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode)
		if err != nil {
			return err
		}
		changed, err := q.RenditionSetOK(ctx, tx, dbsqlc.RenditionSetOKParams{
			TranscodeID: s.name.Transcode, Name: s.rendition.Name, Attempt: s.rendition.Attempt,
			ObjectURL: &url, ObjectBytes: &done.object.Bytes, ObjectEtag: &done.object.ETag, ObjectChecksum: &done.object.Checksum,
			Frames: &done.verdict.Frames, DurationMs: &done.verdict.DurationMS, Verdict: verdict,
		})
		if err != nil {
			return err
		}
		orphan = changed == 0
		if !orphan {
			if err := progressed(ctx, tx, &t); err != nil {
				return err
			}
			if err := (jobs.Decider{Tx: tx, River: client}).Settle(ctx, s.name.Transcode, s.rendition.Attempt); err != nil {
				return err
			}
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, job)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit %s of %s: %w", s.rendition.Name, s.name, err)
	}
	jobs.Crash(jobs.CrashStored)
	if orphan {
		return s.host.Storage.Delete(ctx, done.location)
	}
	return nil
}

// progressed brings the ratio up to a rendition just stored.
func progressed(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode) error {
	q := dbsqlc.New()
	renditions, err := q.RenditionList(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	return q.TranscodeSetRatio(ctx, tx, dbsqlc.TranscodeSetRatioParams{
		ID: t.ID, Attempt: t.Attempt, Ratio: jobs.RatioOf(t, jobs.AttemptTranscoded, renditions),
	})
}

// fail fails the rendition and settles the transcode.
func (s *store) fail(ctx context.Context, client *river.Client[pgx.Tx], f *jobs.Failure) error {
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: client}.FailRendition(ctx, s.name.Transcode, int32(s.name.Attempt), s.rendition.Name, f)
	})
	if err != nil {
		return fmt.Errorf("fail %s of %s: %w", s.rendition.Name, s.name, err)
	}
	return nil
}
