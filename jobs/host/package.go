package host

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/host/outputs"
	"weir/jobs/tenants"
	"weir/jobs/trace"
	"weir/media"
	"weir/media/pack"
	"weir/storage"
)

// packFolder is the place within an attempt's folder for what is packaged.
const packFolder = "pack"

type packageWorker struct {
	river.WorkerDefaults[jobs.PackageArgs]
	host *Host
}

// Timeout implements river.Worker.
func (w *packageWorker) Timeout(*river.Job[jobs.PackageArgs]) time.Duration { return storeTimeout }

// NextRetry implements river.Worker.
func (w *packageWorker) NextRetry(job *river.Job[jobs.PackageArgs]) time.Time {
	return w.host.storeRetryAt(job.Attempt)
}

// Work makes the outputs of an attempt. It may run again at any point, as a store may:
// what is packaged stays in the spool, and what is stored is found so.
func (w *packageWorker) Work(ctx context.Context, job *river.Job[jobs.PackageArgs]) error {
	h := w.host
	p := &packaging{
		host: h, name: engine.Name{Transcode: job.Args.TranscodeID, Attempt: int(job.Args.Attempt)},
		client: river.ClientFromContext[pgx.Tx](ctx), job: job,
	}
	p.log = h.Log.With("transcode", p.name.Transcode, "attempt", p.name.Attempt, "job", job.ID)
	open, err := p.load(ctx)
	if err != nil {
		return err
	}
	if open {
		if err := p.try(ctx); err != nil {
			return err
		}
	}
	return h.removeFolder(ctx, p.name)
}

// packaging is the outputs of an attempt on their way from the spool to S3.
type packaging struct {
	host   *Host
	client *river.Client[pgx.Tx]
	job    *river.Job[jobs.PackageArgs]
	log    *slog.Logger

	name       engine.Name
	transcode  dbsqlc.Transcode
	attempt    dbsqlc.Attempt
	renditions []dbsqlc.Rendition
	outputs    []dbsqlc.Output
}

func (p *packaging) number() int32 { return int32(p.name.Attempt) }

// load reads the rows; open is false when there is nothing to make any more.
func (p *packaging) load(ctx context.Context) (open bool, err error) {
	err = db.Snapshot(ctx, p.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if p.transcode, err = q.TranscodeGet(ctx, tx, p.name.Transcode); err != nil {
			return err
		}
		if p.attempt, err = q.AttemptGet(ctx, tx, dbsqlc.AttemptGetParams{TranscodeID: p.name.Transcode, Number: p.number()}); err != nil {
			return err
		}
		if p.renditions, err = q.RenditionList(ctx, tx, p.name.Transcode); err != nil {
			return err
		}
		p.outputs, err = q.OutputList(ctx, tx, p.name.Transcode)
		return err
	})
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return false, river.JobCancel(fmt.Errorf("package %s: %w", p.name, errGone))
	case err != nil:
		return false, fmt.Errorf("package %s: %w", p.name, err)
	case p.attempt.HostID != p.host.ID:
		return false, river.JobCancel(fmt.Errorf("package %s: %w", p.name, errElsewhere))
	}
	return p.transcode.Attempt == p.number() && p.attempt.PackageFrom != nil && p.attempt.Outcome == nil, nil
}

// try makes the outputs, or says what came of it: nil where their rows are decided.
func (p *packaging) try(ctx context.Context) error {
	h := p.host
	if h.lease.ending() {
		return river.JobSnooze(storeRetryMin)
	}
	leased, release := h.lease.within(ctx)
	defer release()
	limited, cancel := context.WithTimeout(leased, p.limit())
	defer cancel()
	began := time.Now()
	running, span := h.Trace.Begin(limited, trace.Package)
	made, err := p.run(running)
	var wait *turned
	if errors.As(err, &wait) {
		span.End(nil, "waits", true)
	} else {
		span.End(err, "outputs", len(made))
	}
	switch {
	case err == nil:
		if err := p.commit(ctx, made); err != nil {
			return err
		}
		p.log.InfoContext(ctx, "outputs stored", "outputs", len(made), "took", time.Since(began))
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("package %s: %w", p.name, context.Cause(ctx))
	case leased.Err() != nil:
		p.log.WarnContext(ctx, "the lease ends: package stopped")
		return river.JobSnooze(storeRetryMin)
	case errors.Is(err, errFenced), errors.Is(err, storage.ErrOvertaken):
		return river.JobSnooze(storeRetryMax) // another has it; the rows say so next time
	case errors.As(err, &wait):
		return p.wait(ctx, wait.away, river.JobSnooze(wait.until))
	}
	failure := jobs.FailureOf(err, jobs.StagePackage)
	if errors.Is(err, context.DeadlineExceeded) {
		failure = jobs.Failed(jobs.CodePackageSlow, jobs.StagePackage, err.Error())
	}
	if patientWith(err) || failure.Code == jobs.CodePackageSlow || failure.Code == string(media.CodeSpoolFull) {
		return p.wait(ctx, failure, fmt.Errorf("package %s: %w", p.name, err))
	}
	return p.fail(ctx, failure)
}

// limit is how long one try may take: every output is written once more.
func (p *packaging) limit() time.Duration {
	var bytes int64
	for _, r := range p.renditions {
		if r.ObjectBytes != nil {
			bytes += *r.ObjectBytes
		}
	}
	return storeLimit(bytes * int64(1+len(p.outputs)))
}

// wait has it tried again as later says, unless it has been for as long as it may.
func (p *packaging) wait(ctx context.Context, trouble *jobs.Failure, later error) error {
	if trouble == nil {
		return later
	}
	if p.host.clock.now().Sub(*p.attempt.PackageFrom) >= jobs.StorePatience || p.job.Attempt >= p.job.MaxAttempts {
		return p.fail(ctx, jobs.Expired(trouble).At(jobs.StagePackage))
	}
	if err := p.tell(ctx, trouble); err != nil {
		return err
	}
	return later
}

// run packages, once; then it uploads and verifies.
func (p *packaging) run(ctx context.Context) ([]outputs.Made, error) {
	h := p.host
	p.progress(0, 0)
	order, err := p.order(ctx, filepath.Join(h.outFolder(p.name), packFolder))
	if err != nil {
		return nil, err
	}
	packed, err := p.pack(ctx, order)
	if err != nil {
		return nil, err
	}
	jobs.Crash(jobs.CrashPacked)
	leave, err := h.enterAll(p.transcode.Tenant, order)
	if err != nil {
		return nil, err
	}
	defer leave()
	packed.Progress = p.progress
	made, err := packed.Publish(ctx, h.Storage, p.fence)
	var ofStorage *storage.Error
	if errors.As(err, &ofStorage) && ofStorage.Code == storage.CodeS3Unavailable {
		h.destinations.away(ofStorage.Location.Destination(), jobs.FailureOf(err, jobs.StagePackage))
	}
	if err != nil {
		return nil, fmt.Errorf("store the outputs: %w", err)
	}
	for i := range order.Outputs {
		h.destinations.back(order.Outputs[i].Place.Destination())
	}
	return made, nil
}

// pack packages beside no more others than the host has processors for.
func (p *packaging) pack(ctx context.Context, order *outputs.Order) (*outputs.Package, error) {
	h := p.host
	select {
	case h.finishing <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn to package: %w", context.Cause(ctx))
	}
	defer func() { <-h.finishing }()
	packer := h.Packer
	if packer == nil {
		tools, _ := h.Media.(*media.Tools) // nil: those in PATH
		packer = pack.Packer{Tools: tools}
	}
	return order.Pack(ctx, packer)
}

// enterAll takes a place of the tenant at every destination of an order, or none.
func (h *Host) enterAll(tenant string, order *outputs.Order) (leave func(), err error) {
	entered := map[string]func(){}
	leave = func() {
		for _, leave := range entered {
			leave()
		}
	}
	for i := range order.Outputs {
		destination := order.Outputs[i].Place.Destination()
		if entered[destination] != nil {
			continue
		}
		out, wait := h.destinations.enter(tenant, destination, h.Stores)
		if wait != nil {
			leave()
			return nil, wait
		}
		entered[destination] = out
	}
	return leave, nil
}

// order is what is to be made, of files that are here, or are brought to its folder.
func (p *packaging) order(ctx context.Context, dir string) (*outputs.Order, error) {
	h := p.host
	o := &outputs.Order{Transcode: p.name.Transcode, Attempt: p.number(), Dir: dir}
	if ms := p.transcode.SourceDurationMs; ms != nil {
		o.Lasts = time.Duration(*ms) * time.Millisecond
	}
	if err := p.mp4Of(o); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, spoolMode); err != nil {
		return nil, jobs.Failed(string(storage.CodeSpoolFailed), jobs.StagePackage, err.Error())
	}
	for i := range p.renditions {
		rung, err := p.rung(ctx, &p.renditions[i], o.Dir)
		if err != nil {
			return nil, err
		}
		o.Rungs = append(o.Rungs, rung)
	}
	for i := range p.outputs {
		row := &p.outputs[i]
		if row.Type == jobs.OutputTS {
			continue // the renditions' own
		}
		output, err := h.output(ctx, &p.transcode, row)
		if err != nil {
			return nil, err
		}
		o.Outputs = append(o.Outputs, output)
		if row.Type == jobs.OutputSource && o.Source == "" {
			if o.Source, err = p.source(ctx, o.Dir); err != nil {
				return nil, err
			}
			o.SourceType = mime.TypeByExtension(path.Ext(p.transcode.SourceURL))
		}
	}
	return o, nil
}

// mp4Of chooses the rendition of the most bits where Studio's form has a recording's playlist
// as the source: an MP4 of it is for downloads alone.
func (p *packaging) mp4Of(o *outputs.Order) error {
	if p.transcode.Form != jobs.FormVOD || !slices.ContainsFunc(p.outputs, func(o dbsqlc.Output) bool { return o.Type == jobs.OutputMP4 }) {
		return nil
	}
	url, err := p.host.open(&p.transcode, jobs.SealedSource, p.transcode.SourceSealed)
	if err != nil {
		return err
	}
	source, err := storage.ParseLocation(url)
	if err != nil {
		return fmt.Errorf("read the source's location: %w", err)
	}
	if !source.IsPlaylist() {
		return nil
	}
	best := slices.MaxFunc(p.renditions, func(a, b dbsqlc.Rendition) int { return cmp.Compare(a.Bitrate, b.Bitrate) })
	o.MP4Of = best.Name
	return nil
}

// output is a row with its place.
func (h *Host) output(ctx context.Context, t *dbsqlc.Transcode, row *dbsqlc.Output) (outputs.Output, error) {
	place, err := h.locate(ctx, t, jobs.SealedOutputOf(row.Ordinal), row.Sealed, tenants.Write)
	if err != nil {
		return outputs.Output{}, fmt.Errorf("output %d: %w", row.Ordinal, err)
	}
	return outputs.Output{
		Ordinal: row.Ordinal, Type: row.Type, Place: place,
		Segment: time.Duration(row.SegmentMs) * time.Millisecond, OnlyShort: row.OnlyShort,
	}, nil
}

// rung is a rendition's file: that which was stored, here still or brought back.
func (p *packaging) rung(ctx context.Context, r *dbsqlc.Rendition, dir string) (rung pack.Rung, err error) {
	var verdict media.Verdict
	if err := json.Unmarshal(r.Verdict, &verdict); err != nil {
		return rung, fmt.Errorf("read the verdict on %s: %w", r.Name, err)
	}
	rung = pack.Rung{Name: r.Name, Width: verdict.Width, Height: verdict.Height}
	for _, path := range []string{p.host.finishedPath(p.name, r.Name), filepath.Join(dir, engine.File(r.Name))} {
		if is(path, r) {
			rung.File = path
			return rung, nil
		}
	}
	location, err := p.host.objectLocation(ctx, &p.transcode, r.Name, r.Attempt)
	if err != nil {
		return rung, err
	}
	rung.File = filepath.Join(dir, engine.File(r.Name))
	_, err = p.host.Storage.Fetch(ctx, location, rung.File, storage.FetchOptions{})
	var ofStorage *storage.Error
	switch {
	case errors.As(err, &ofStorage) && ofStorage.Code == storage.CodeObjectMissing:
		return rung, jobs.Failed(jobs.CodeRenditionGone, jobs.StagePackage, err.Error())
	case err != nil:
		return rung, fmt.Errorf("bring back the rendition %s: %w", r.Name, err)
	case !is(rung.File, r):
		return rung, jobs.Failed(jobs.CodeRenditionGone, jobs.StagePackage, "the object of "+r.Name+" has other bytes than were stored")
	}
	return rung, nil
}

// is says whether a file is what was stored as a rendition.
func is(path string, r *dbsqlc.Rendition) bool {
	if r.ObjectBytes == nil || r.ObjectChecksum == nil || fileBytes(path) != *r.ObjectBytes {
		return false
	}
	checksum, err := storage.Checksum(path)
	return err == nil && checksum == *r.ObjectChecksum
}

// source is the source's file: the one that the renditions were made of, here still or
// fetched again.
func (p *packaging) source(ctx context.Context, dir string) (string, error) {
	h := p.host
	made, err := dbsqlc.New().AttemptGet(ctx, h.DB, dbsqlc.AttemptGetParams{TranscodeID: p.name.Transcode, Number: p.renditions[0].Attempt})
	if err != nil {
		return "", fmt.Errorf("look for the source: %w", err)
	}
	if here := h.sourcePath(p.name); made.Number == p.number() && made.SourceBytes != nil && fileBytes(here) == *made.SourceBytes {
		return here, nil
	}
	url, err := h.open(&p.transcode, jobs.SealedSource, p.transcode.SourceSealed)
	if err != nil {
		return "", err
	}
	location, err := storage.ParseLocation(url)
	if err != nil {
		return "", fmt.Errorf("fetch the source again: %w", err)
	}
	path := filepath.Join(dir, sourceFile)
	fetched, err := h.Storage.Fetch(ctx, location, path, storage.FetchOptions{MaxBytes: h.SourceMax})
	if err != nil {
		return "", fmt.Errorf("fetch the source again: %w", err)
	}
	if made.SourceIdentity != nil && fetched.Identity != *made.SourceIdentity {
		return "", jobs.Failed(string(storage.CodeSourceChanged), jobs.StagePackage, "it is another one than its renditions are of")
	}
	return path, nil
}

// progress notes how much is stored: all outputs together.
func (p *packaging) progress(done, all int64) {
	p.host.progress.note(p.name, jobs.RatioPackaged(float64(done)/float64(max(all, 1))),
		noted{jobs.StagePackage, done, all, jobs.UnitBytes}, mediaOf(&p.transcode), p.host.clock.now())
}

// fence writes down that players may find what this attempt made, if it is still its turn.
func (p *packaging) fence(ctx context.Context) error {
	changed, err := dbsqlc.New().AttemptSetPublish(ctx, p.host.DB, dbsqlc.AttemptSetPublishParams{
		TranscodeID: p.name.Transcode, Number: p.number(), HostID: p.host.ID, BootID: p.host.BootID,
	})
	return fenced("begin to publish", changed, err)
}

// commit makes the outputs ok and settles the transcode, in one transaction with the
// job's completion. When the rows have moved on, what was written is residue.
func (p *packaging) commit(ctx context.Context, made []outputs.Made) error {
	err := db.InTx(ctx, p.host.DB, func(tx pgx.Tx) error {
		t, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, p.name.Transcode)
		if err != nil {
			return err
		}
		if !jobs.Works(&t, p.number()) {
			// It was lost, and waits for its next attempt, perhaps: outputs that were kept now would
			// be that one's success, and these folders its residue.
			made = nil
		}
		for i := range made {
			if err := p.keep(ctx, tx, &made[i]); err != nil {
				return err
			}
		}
		if err := (jobs.Decider{Tx: tx, River: p.client}).Settle(ctx, p.name.Transcode, p.number()); err != nil {
			return err
		}
		_, err = river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, p.job)
		return err
	})
	if err != nil {
		return fmt.Errorf("commit the outputs of %s: %w", p.name, err)
	}
	jobs.Crash(jobs.CrashPackaged)
	return nil
}

// keep writes down what became of an output; nothing where a newer attempt has it.
func (p *packaging) keep(ctx context.Context, tx pgx.Tx, made *outputs.Made) error {
	q := dbsqlc.New()
	if made.Skipped != "" {
		_, err := q.OutputSkip(ctx, tx, dbsqlc.OutputSkipParams{
			TranscodeID: p.name.Transcode, Ordinal: made.Ordinal, Attempt: p.number(), SkippedReason: &made.Skipped,
		})
		return err
	}
	objects, err := json.Marshal(made.Objects)
	if err != nil {
		return fmt.Errorf("write down output %d: %w", made.Ordinal, err)
	}
	params := dbsqlc.OutputSetOKParams{
		TranscodeID: p.name.Transcode, Ordinal: made.Ordinal, Attempt: p.number(), Bytes: &made.Bytes, Objects: objects,
	}
	if made.Manifest != "" {
		params.ManifestURL = &made.Manifest
	}
	_, err = q.OutputSetOK(ctx, tx, params)
	return err
}

// own is store.own.
func (p *packaging) own(ctx context.Context, tx pgx.Tx) error {
	_, err := dbsqlc.New().HostOwn(ctx, tx, dbsqlc.HostOwnParams{ID: p.host.ID, BootID: p.host.BootID})
	if errors.Is(err, pgx.ErrNoRows) {
		return errFenced
	}
	return err
}

// fail fails the outputs and settles the transcode.
func (p *packaging) fail(ctx context.Context, f *jobs.Failure) error {
	p.log.WarnContext(ctx, "outputs failed", "code", f.Code, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, p.host.DB, func(tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, p.name.Transcode); err != nil {
			return err
		}
		if err := p.own(ctx, tx); err != nil {
			return err
		}
		return jobs.Decider{Tx: tx, River: p.client}.FailPackage(ctx, p.name.Transcode, p.number(), f)
	})
	if err != nil {
		return fmt.Errorf("fail the outputs of %s: %w", p.name, err)
	}
	return nil
}

// tell shows what is in the way, on the outputs and on the transcode.
func (p *packaging) tell(ctx context.Context, f *jobs.Failure) error {
	p.log.WarnContext(ctx, "outputs wait", "code", f.Code, "why", f.Text, "detail", f.Detail)
	err := db.InTx(ctx, p.host.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, p.name.Transcode); err != nil {
			return err
		}
		if err := p.own(ctx, tx); err != nil {
			return err
		}
		if err := q.OutputSetTrouble(ctx, tx, dbsqlc.OutputSetTroubleParams{
			TranscodeID: p.name.Transcode, Attempt: p.number(),
			ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
		}); err != nil {
			return err
		}
		return q.TranscodeShowTrouble(ctx, tx, dbsqlc.TranscodeShowTroubleParams{ID: p.name.Transcode, Attempt: p.number()})
	})
	if err != nil {
		return fmt.Errorf("tell why the outputs of %s wait: %w", p.name, err)
	}
	return nil
}
