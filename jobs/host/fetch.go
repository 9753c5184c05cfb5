package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/host/outputs"
	"weir/jobs/ladder"
	"weir/jobs/tenants"
	"weir/jobs/trace"
	"weir/storage"
)

// outputLimit is how long an output may take to show that it works; one that takes
// longer is left to the stores.
const outputLimit = 10 * time.Second

// errLate: the source has had its time.
var errLate = errors.New("the source has had its time")

func (s *supervisor) tracedFetch(ctx context.Context, rows *jobs.Rows) error {
	ctx, span := s.host.Trace.Begin(ctx, trace.Fetch)
	err := s.fetch(ctx, rows)
	span.End(err)
	return err
}

// fetch brings the source into the spool.
func (s *supervisor) fetch(ctx context.Context, rows *jobs.Rows) error {
	h := s.host
	location, err := h.locate(ctx, &rows.Transcode, jobs.SealedSource, rows.Transcode.SourceSealed, tenants.Read)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	// Here, so that nothing is fetched in vain.
	if _, err := h.livepeerOf(&rows.Transcode); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(h.folder(s.name), inFolder), spoolMode); err != nil {
		return jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageFetch, err.Error())
	}
	room, err := h.spoolRoom()
	if err != nil {
		return jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageFetch, err.Error())
	}
	if room <= 0 {
		return jobs.Failed(jobs.CodeSpoolReserve, jobs.StageFetch, "the reserve is eaten into")
	}
	held, err := s.tenantHolds(ctx, &rows.Transcode)
	if err != nil {
		return err
	}
	share, err := tenants.SpoolPercent(ctx, h.DB, rows.Transcode.Tenant)
	if err != nil {
		return &rowError{"read the tenant's share of the spool", err}
	}
	if held > (held+room)/100*share { //nolint:mnd // percent
		return jobs.Failed(jobs.CodeSpoolShare, jobs.StageFetch,
			fmt.Sprintf("%d bytes of %s wait on %s, %d are free, and %d percent of both are its share", held, rows.Transcode.Tenant, h.ID, room, share))
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(fetchFloor, func() { cancel(errLate) })
	defer late.Stop()
	// Beside the fetch, as it costs a round trip or three: an output that can't work is
	// told before anything is transcoded.
	asked, err := s.asked(ctx)
	if err != nil {
		return err
	}
	tried := make(chan error, 1)
	go func() {
		err := s.tryOutput(limited, rows, asked)
		if err != nil {
			cancel(err)
		}
		tried <- err
	}()
	sized := false
	fetched, err := h.Storage.Fetch(limited, location, h.sourcePath(s.name), storage.FetchOptions{
		MaxBytes: h.SourceMax,
		OnProgress: func(done, total int64) {
			if !sized {
				late.Reset(fetchLimit(total))
			}
			sized = true
			part := float64(done) / float64(max(total, done, 1))
			h.progress.note(s.name, part*jobs.ShareFetched, noted{jobs.StageFetch, done, total, jobs.UnitBytes}, 0, h.clock.now())
		},
	})
	if refused := <-tried; refused != nil && ctx.Err() == nil {
		return refused
	}
	if err != nil && errors.Is(context.Cause(limited), errLate) {
		return jobs.Failed(jobs.CodeFetchSlow, jobs.StageFetch, "its server is too slow")
	}
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	jobs.Crash(jobs.CrashFetched)
	err = s.recordFetch(ctx, &fetched)
	jobs.Crash(jobs.CrashFetchRecorded)
	return err
}

// tenantHolds is how much of this spool a tenant's files hold that wait for their storage.
// Beyond its share of what those and the free room are together, a storage that is away
// would take the others' room too.
func (s *supervisor) tenantHolds(ctx context.Context, t *dbsqlc.Transcode) (int64, error) {
	waiting, err := dbsqlc.New().TranscodeListStoring(ctx, s.host.DB, dbsqlc.TranscodeListStoringParams{
		HostID: &s.host.ID, Tenant: t.Tenant, But: t.ID,
	})
	if err != nil {
		return 0, &rowError{"list what waits for its storage", err}
	}
	var held int64
	for _, other := range waiting {
		bytes, err := folderBytes(s.host.folder(engine.Name{Transcode: other.ID, Attempt: int(other.Attempt)}))
		if err != nil {
			return 0, jobs.Failed(string(storage.CodeSpoolFailed), jobs.StageFetch, err.Error())
		}
		held += bytes
	}
	return held, nil
}

// recordFetch writes down which source this attempt has. What is stored of another one is
// expected anew: the renditions of a transcode are all of one source.
func (s *supervisor) recordFetch(ctx context.Context, fetched *storage.Fetched) error {
	renewed := int64(0)
	err := s.inTx(ctx, func(ctx context.Context, tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, s.name.Transcode); err != nil {
			return err
		}
		changed, err := q.AttemptSetFetched(ctx, tx, dbsqlc.AttemptSetFetchedParams{
			TranscodeID: s.name.Transcode, Number: s.number(), BootID: &s.host.BootID,
			SourceBytes: &fetched.Bytes, SourceEtag: &fetched.ETag, SourceIdentity: &fetched.Identity,
			SourceBegins: beginsOf(fetched),
		})
		if err := fenced("record the fetch", changed, err); err != nil {
			return err
		}
		if s.number() == 1 {
			return nil // nothing is stored yet
		}
		renewed, err = q.RenditionRenew(ctx, tx, dbsqlc.RenditionRenewParams{TranscodeID: s.name.Transcode, Attempt: s.number()})
		return err
	})
	if err != nil {
		return &rowError{"record the fetch", err}
	}
	if renewed > 0 {
		s.log.WarnContext(ctx, "the source is another one: stored renditions are made anew", "renditions", renewed)
	}
	return nil
}

// beginsOf is the time of day at which a recording begins, nil where nothing tells it.
func beginsOf(fetched *storage.Fetched) *time.Time {
	if fetched.Begins.IsZero() {
		return nil
	}
	return &fetched.Begins
}

// tryOutput finds out whether the renditions, and what is made of them, can be stored
// where they are to go. A storage that is only out of reach now is no reason to wait: stores
// are patient.
func (s *supervisor) tryOutput(ctx context.Context, rows *jobs.Rows, asked []dbsqlc.Output) error {
	prefix, err := s.host.outputLocation(ctx, &rows.Transcode)
	if err != nil {
		return placeTrouble(err, jobs.StageStore)
	}
	names := []string{ladder.LongestName}
	if len(rows.Renditions) > 0 {
		names = names[:0]
	}
	for i := range rows.Renditions {
		names = append(names, rows.Renditions[i].Name)
	}
	var objects []storage.Location
	for _, name := range names {
		objects = append(objects, objectIn(prefix, rows.Transcode.ID, name, s.number()))
	}
	limited, cancel := context.WithTimeout(ctx, outputLimit)
	defer cancel()
	if err := s.tryPlace(limited, objects[0].Folder(), objects); err != nil {
		return err
	}
	tried := map[string]bool{string(prefix.Secret()): true}
	for i := range asked {
		output, err := s.host.output(ctx, &rows.Transcode, &asked[i])
		if err != nil {
			return placeTrouble(err, jobs.StagePackage)
		}
		folder := output.Place
		if output.Type == jobs.OutputSource {
			folder = folder.Folder()
		}
		objects := outputs.Names(&output, rows.Transcode.ID, s.number(), names)
		if tried[string(folder.Secret())] { // the same place was written to just now
			folder = storage.Location{}
		}
		if err := s.tryPlace(limited, folder, objects); err != nil {
			return err
		}
		tried[string(folder.Secret())] = true
	}
	return nil
}

// placeTrouble is why a place can't be read from its row.
func placeTrouble(err error, stage jobs.Stage) error {
	if trouble, is := errors.AsType[*rowError](err); is {
		return trouble
	}
	return jobs.FailureOf(err, stage)
}

// tryPlace tries a folder, none where it is zero, and whether objects can have their names.
func (s *supervisor) tryPlace(ctx context.Context, folder storage.Location, objects []storage.Location) error {
	err := s.host.Storage.CheckNames(objects...)
	if err == nil && !folder.IsZero() {
		err = s.host.Storage.TryWrite(ctx, folder, objects...)
	}
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return nil //nolint:nilerr // it did not answer in time: that is no refusal
	}
	failure := jobs.FailureOf(err, jobs.StageStore)
	// Nor is waiting for a host that is not known: it is most likely misspelt, or inside.
	if failure.Retriable() && !errors.Is(err, storage.ErrHostUnknown) {
		s.log.WarnContext(ctx, "output not tried", "code", failure.Code, "error", err)
		return nil
	}
	return failure
}
