package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/tenants"
	"weir/jobs/trace"
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
// anew, to the same object, until the row says ok; but finished and judged it is once.
func (w *storeWorker) Work(ctx context.Context, job *river.Job[jobs.StoreArgs]) error {
	h := w.host
	s := &store{
		host: h, name: engine.Name{Transcode: job.Args.TranscodeID, Attempt: int(job.Args.Attempt)},
		client: river.ClientFromContext[pgx.Tx](ctx), job: job,
	}
	s.log = h.Log.With("transcode", s.name.Transcode, "attempt", s.name.Attempt, "rendition", job.Args.Rendition, "job", job.ID)
	open, err := s.load(ctx, job.Args.Rendition)
	if err != nil {
		return err
	}
	if open {
		if err := s.try(ctx); err != nil {
			return err
		}
	}
	if s.others {
		return nil // the last one does
	}
	return h.removeFolder(ctx, s.name)
}

// try stores the rendition, or says what came of it: nil where its row is decided.
func (s *store) try(ctx context.Context) error {
	h := s.host
	if h.lease.ending() {
		return river.JobSnooze(storeRetryMin)
	}
	// What is sent without a lease may come behind those who clean up after it.
	leased, release := h.lease.within(ctx)
	defer release()
	bytes := max(fileBytes(h.pushedPath(s.name, s.rendition.Name)), fileBytes(h.finishedPath(s.name, s.rendition.Name)))
	limited, cancel := context.WithTimeout(leased, storeLimit(bytes))
	defer cancel()
	stored, err := s.run(limited)
	var wait *turned
	var ofRows *rowError
	switch {
	case err == nil:
		if err := s.commit(ctx, stored); err != nil {
			return err
		}
		s.log.InfoContext(ctx, "rendition stored", "bytes", stored.object.Bytes, "frames", stored.verdict.Frames,
			"finish", stored.took.finish, "judge", stored.took.judge, "upload", stored.took.upload)
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("store %s of %s: %w", s.rendition.Name, s.name, context.Cause(ctx))
	case leased.Err() != nil:
		s.log.WarnContext(ctx, "the lease ends: store stopped")
		return river.JobSnooze(storeRetryMin)
	case errors.As(err, &ofRows):
		return fmt.Errorf("store %s of %s: %w", s.rendition.Name, s.name, err)
	case errors.As(err, &wait):
		return s.wait(ctx, wait.away, river.JobSnooze(wait.until))
	case errors.Is(err, context.DeadlineExceeded), patientWith(err):
		return s.wait(ctx, troubleOf(err), fmt.Errorf("store %s of %s: %w", s.rendition.Name, s.name, err))
	default:
		return s.fail(ctx, s.rejected(jobs.FailureOf(err, jobs.StageStore)))
	}
}

// wait has the store tried again as later says, unless it has been for as long as it may.
// What is in its way is shown meanwhile; nil: it only waits for its turn.
func (s *store) wait(ctx context.Context, trouble *jobs.Failure, later error) error {
	if trouble == nil {
		return later
	}
	over := s.rendition.PushedAt != nil && s.host.clock.now().Sub(*s.rendition.PushedAt) >= jobs.StorePatience
	if over || s.job.Attempt >= s.job.MaxAttempts {
		return s.fail(ctx, jobs.Expired(trouble))
	}
	if err := s.tell(ctx, trouble); err != nil {
		return err
	}
	return later
}

// patientWith says whether a store waits for S3 rather than fail: the file is safe
// in the spool, and a new transcode would meet the same outage.
func patientWith(err error) bool {
	var failure *jobs.Failure
	if errors.As(err, &failure) && failure.Code == jobs.CodeStoreUnknown {
		return true // an operator may give the tenant another of its name
	}
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

// troubleOf is what is in a store's way, as the tenant is told.
func troubleOf(err error) *jobs.Failure {
	var upload *uploadError
	if errors.Is(err, context.DeadlineExceeded) && errors.As(err, &upload) {
		return jobs.Failed(string(storage.CodeS3Unavailable), jobs.StageStore, err.Error())
	}
	return jobs.FailureOf(err, jobs.StageStore)
}

// uploadError is what went wrong on the way to the storage.
type uploadError struct{ err error }

func (e *uploadError) Error() string { return "upload: " + e.err.Error() }
func (e *uploadError) Unwrap() error { return e.err }

// store is one rendition on its way from the spool to S3.
type store struct {
	host   *Host
	client *river.Client[pgx.Tx]
	job    *river.Job[jobs.StoreArgs]
	log    *slog.Logger

	name      engine.Name
	transcode dbsqlc.Transcode
	attempt   dbsqlc.Attempt
	rendition dbsqlc.Rendition
	// others: files of the attempt were not stored yet when this one was.
	others bool
}

type stored struct {
	location storage.Location
	object   storage.Object
	verdict  media.Verdict
	took     took
}

// took is how long a store's steps took; of the upload only what the judge did not hide.
type took struct{ finish, judge, upload time.Duration }

// errElsewhere: the attempt is another host's.
var errElsewhere = errors.New("its file is on another host")

// own makes sure, behind the transcode's lock, that this is the host's newest boot: what an
// older one could not do, the newer may.
func (s *store) own(ctx context.Context, tx pgx.Tx) error {
	_, err := dbsqlc.New().HostOwn(ctx, tx, dbsqlc.HostOwnParams{ID: s.host.ID, BootID: s.host.BootID})
	if errors.Is(err, pgx.ErrNoRows) {
		return errFenced
	}
	return err
}

// load reads the rows; open is false when there is nothing to store any more.
func (s *store) load(ctx context.Context, rendition string) (open bool, err error) {
	q := dbsqlc.New()
	number := int32(s.name.Attempt)
	rows, err := q.RenditionToStore(ctx, s.host.DB, dbsqlc.RenditionToStoreParams{TranscodeID: s.name.Transcode, Attempt: number, Name: rendition})
	if errors.Is(err, pgx.ErrNoRows) {
		return false, river.JobCancel(fmt.Errorf("store %s of %s: %w", rendition, s.name, errGone))
	}
	if err != nil {
		return false, fmt.Errorf("store %s of %s: %w", rendition, s.name, err)
	}
	s.transcode, s.attempt, s.rendition = rows.Transcode, rows.Attempt, rows.Rendition
	if s.attempt.HostID != s.host.ID {
		// Somebody moved the job: the file is elsewhere, and its host gives it another.
		return false, river.JobCancel(fmt.Errorf("store %s of %s: %w", rendition, s.name, errElsewhere))
	}
	return s.rendition.State == jobs.RenditionPushed && s.rendition.Attempt == number && !jobs.Terminal(s.transcode.State), nil
}

// run finishes and judges, once; it uploads while it is judged, all but the end, and
// verifies.
func (s *store) run(ctx context.Context) (stored, error) {
	h := s.host
	judging, err := s.finish(ctx)
	if err != nil {
		return stored{}, err
	}
	sendingCtx, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	defer beside.Wait()
	beside.Go(func() {
		if _, err := judging.wait(); err != nil {
			stop() // whatever else goes on: nobody wants it
			return
		}
		s.free(ctx) // while it is uploaded, or waits for that
	})
	location, err := h.objectLocation(ctx, &s.transcode, s.rendition.Name, s.rendition.Attempt)
	if err != nil {
		return stored{}, judging.before(err)
	}
	destination := location.Destination()
	leave, wait := h.destinations.enter(s.transcode.Tenant, destination, h.Stores)
	if wait != nil {
		return stored{}, judging.before(wait)
	}
	defer leave()
	if judging.again {
		// A storage that does not let us look costs its own room, and no transcode.
		if err := h.abortUploads(sendingCtx, location); err != nil {
			s.log.InfoContext(ctx, "half uploads stay", "object", location, "why", err)
		}
	}
	began := time.Now()
	uploading, span := h.Trace.Begin(sendingCtx, trace.Upload, "rendition", s.rendition.Name)
	object, err := h.Storage.Upload(uploading, location, h.finishedPath(s.name, s.rendition.Name), storage.UploadOptions{
		ContentType: engine.ContentType,
		OnProgress:  s.sends(ctx),
		Wanted:      func(context.Context) error { return judging.before(nil) },
	})
	span.End(err, "bytes", object.Bytes)
	finished, judged := judging.wait()
	if judged != nil {
		return stored{}, judged
	}
	if err != nil {
		err = &uploadError{err}
		if trouble := troubleOf(err); trouble.Code == string(storage.CodeS3Unavailable) {
			h.destinations.away(destination, trouble)
		}
		return stored{}, err
	}
	h.destinations.back(destination)
	if object.Checksum != finished.Checksum {
		return stored{}, jobs.Failed(string(media.CodeSpoolUnreadable), jobs.StageStore, "the finished file is not the one that was judged")
	}
	jobs.Crash(jobs.CrashUploaded)
	if judging.at.After(began) {
		began = judging.at
	}
	finished.took.upload = time.Since(began)
	return stored{location: location, object: object, verdict: finished.Verdict, took: finished.took}, nil
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

// objectLocation is where the object of a rendition in an attempt goes.
func (h *Host) objectLocation(ctx context.Context, t *dbsqlc.Transcode, rendition string, attempt int32) (storage.Location, error) {
	prefix, err := h.outputLocation(ctx, t)
	if err != nil {
		return storage.Location{}, err
	}
	return objectIn(prefix, t.ID, rendition, attempt), nil
}

// outputLocation is the folder of a transcode's renditions.
func (h *Host) outputLocation(ctx context.Context, t *dbsqlc.Transcode) (storage.Location, error) {
	prefix, err := h.locate(ctx, t, jobs.SealedOutput, t.OutputSealed, tenants.Write)
	if err != nil {
		return storage.Location{}, fmt.Errorf("output: %w", err)
	}
	return prefix, nil
}

// objectIn is a rendition's object in its folder. The attempt is in its key: what an old
// one still writes can't touch what a newer one relies on.
func objectIn(prefix storage.Location, transcode uuid.UUID, rendition string, attempt int32) storage.Location {
	return prefix.Join(transcode.String(), strconv.Itoa(int(attempt)), engine.File(rendition))
}

// commit makes the rendition ok and settles the transcode, in one transaction with
// the job's completion. Fenced: when the row has moved on, the object is nobody's
// and is removed.
func (s *store) commit(ctx context.Context, done stored) error {
	verdict, err := json.Marshal(done.verdict)
	if err != nil {
		return fmt.Errorf("write down the verdict: %w", err)
	}
	url := done.location.String()
	orphan := false
	err = s.host.shared.InTx(ctx, s.host.DB, s.name.Transcode, func(ctx context.Context, tx pgx.Tx) error {
		orphan, s.others = false, false
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
		if changed == 0 {
			// Another boot's store may have been there first, with the same key.
			r, err := q.RenditionGet(ctx, tx, dbsqlc.RenditionGetParams{TranscodeID: s.name.Transcode, Name: s.rendition.Name})
			if err != nil {
				return err
			}
			orphan = r.State != jobs.RenditionOK || r.Attempt != s.rendition.Attempt
		} else if err := s.settle(ctx, tx, &t); err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, s.job)
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

// settle does what follows from a rendition just stored.
func (s *store) settle(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode) error {
	if err := s.told(ctx, tx); err != nil {
		return err
	}
	renditions, err := dbsqlc.New().RenditionList(ctx, tx, t.ID)
	if err != nil {
		return err
	}
	s.others = slices.ContainsFunc(renditions, func(r dbsqlc.Rendition) bool { return r.State != jobs.RenditionOK && r.State != jobs.RenditionFailed })
	if err := progressed(ctx, tx, t, renditions); err != nil {
		return err
	}
	return jobs.Decider{Tx: tx, River: s.client}.SettleRows(ctx, t, renditions, s.rendition.Attempt)
}

// progressed brings the ratio up to a rendition just stored. Of the last one the success tells,
// where nothing is to be packaged.
func progressed(ctx context.Context, tx pgx.Tx, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition) error {
	open := func(r dbsqlc.Rendition) bool { return r.State != jobs.RenditionOK }
	if !t.Packages && !slices.ContainsFunc(renditions, open) {
		return nil
	}
	return dbsqlc.New().TranscodeSetRatio(ctx, tx, dbsqlc.TranscodeSetRatioParams{
		ID: t.ID, Attempt: t.Attempt, Ratio: jobs.RatioOf(t, jobs.AttemptTranscoded, renditions, nil),
	})
}

// fail fails the rendition and settles the transcode.
func (s *store) fail(ctx context.Context, f *jobs.Failure) error {
	s.log.WarnContext(ctx, "rendition failed", "code", f.Code, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: s.client}.FailRendition(ctx, s.name.Transcode, int32(s.name.Attempt), s.rendition.Name, f)
	})
	if err != nil {
		return fmt.Errorf("fail %s of %s: %w", s.rendition.Name, s.name, err)
	}
	return nil
}

// tell shows what is in the store's way, on the rendition and on the transcode.
func (s *store) tell(ctx context.Context, f *jobs.Failure) error {
	r := &s.rendition
	if r.ErrorCode != nil && *r.ErrorCode == f.Code && r.ErrorMessage != nil && *r.ErrorMessage == f.Text {
		return nil
	}
	s.log.WarnContext(ctx, "rendition waits", "code", f.Code, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, s.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		if err := s.own(ctx, tx); err != nil {
			return err
		}
		if _, err := q.RenditionSetTrouble(ctx, tx, dbsqlc.RenditionSetTroubleParams{
			TranscodeID: s.name.Transcode, Name: r.Name, Attempt: r.Attempt,
			ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
		}); err != nil {
			return err
		}
		return q.TranscodeShowTrouble(ctx, tx, dbsqlc.TranscodeShowTroubleParams{ID: s.name.Transcode, Attempt: r.Attempt})
	})
	if err != nil {
		return fmt.Errorf("tell why %s of %s waits: %w", r.Name, s.name, err)
	}
	return nil
}

// told takes back, within the transaction that makes the rendition ok, what tell showed.
func (s *store) told(ctx context.Context, tx pgx.Tx) error {
	if s.rendition.ErrorCode == nil {
		return nil
	}
	return dbsqlc.New().TranscodeShowTrouble(ctx, tx, dbsqlc.TranscodeShowTroubleParams{ID: s.name.Transcode, Attempt: s.rendition.Attempt})
}
