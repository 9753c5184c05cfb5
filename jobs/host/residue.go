package host

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/host/outputs"
	"weir/storage"
)

// residueAgain is when nothing of a store can land any more that ran when its transcode
// ended: the host may have been out of reach for as long as a lease (a minute, behind an
// upgrade), aborts take 15 s, and servers complete large uploads for minutes.
const residueAgain = 15 * time.Minute

// readersGrace is how long a player that holds an older master may go on with it.
const readersGrace = time.Hour

const (
	// lateSoon is the first look at what earlier attempts may have overwritten: most of what
	// was on its way has come then. The last one is residueAgain.
	lateSoon = time.Minute
	// lateMost is how long behind an attempt's end something of it can land still: what was on
	// its way, and what it mended.
	lateMost = 2 * residueAgain
	// mendFolder is the place in the spool for what is packaged to mend that, one after the
	// other ([residueWorkers]).
	mendFolder = ".weir-mend"
)

type residueWorker struct {
	river.WorkerDefaults[jobs.ResidueArgs]
	host *Host
}

// Timeout implements river.Worker: what was overwritten may be long films.
func (w *residueWorker) Timeout(*river.Job[jobs.ResidueArgs]) time.Duration { return storeTimeout }

// NextRetry implements river.Worker.
func (w *residueWorker) NextRetry(job *river.Job[jobs.ResidueArgs]) time.Time {
	return w.host.storeRetryAt(job.Attempt)
}

// Work looks at every attempt that came as far as a store, when the transcode has ended
// and once more: a store's last bytes may be on their way at the first. It may run again.
func (w *residueWorker) Work(ctx context.Context, job *river.Job[jobs.ResidueArgs]) error {
	h := w.host
	q := dbsqlc.New()
	id := job.Args.TranscodeID
	t, err := q.TranscodeGet(ctx, h.DB, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return river.JobCancel(fmt.Errorf("transcode %s is gone", id))
	}
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	attempts, err := q.AttemptList(ctx, h.DB, id)
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	renditions, err := q.RenditionList(ctx, h.DB, id)
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	made, err := q.OutputList(ctx, h.DB, id)
	if err != nil {
		return fmt.Errorf("remove the residue of %s: %w", id, err)
	}
	age := h.clock.now().Sub(job.CreatedAt)
	others, err := h.others(ctx, &t, attempts)
	if err != nil {
		return fmt.Errorf("look what was written over %s: %w", id, err)
	}
	err = h.mend(ctx, &t, renditions, made, others)
	switch {
	case err == nil:
	case ctx.Err() != nil, patientWith(err), errors.Is(err, storage.ErrOvertaken):
		return fmt.Errorf("look what was written over %s: %w", id, err)
	default:
		h.Log.WarnContext(ctx, "what an earlier attempt wrote too late stays", "transcode", id, "why", err)
	}
	mended := len(others) == 0 || age >= residueAgain
	for _, a := range attempts {
		if a.Outcome == nil {
			continue // it is a later run's
		}
		err := h.removeResidueOf(ctx, &t, &a, renditions, made, age, !mended)
		switch {
		case err == nil:
		case ctx.Err() != nil, patientWith(err):
			return fmt.Errorf("remove the residue of %s: %w", id, err)
		default:
			// The key that Studio gave may store, and no more than that.
			h.Log.InfoContext(ctx, "residue stays", "transcode", id, "attempt", a.Number, "why", err)
			return river.JobCancel(fmt.Errorf("remove the residue of %s: %w", id, err))
		}
	}
	if err := h.removeReplaced(ctx, &t, made, age); err != nil {
		if ctx.Err() != nil || patientWith(err) {
			return fmt.Errorf("remove what %s took the place of: %w", id, err)
		}
		h.Log.InfoContext(ctx, "what was replaced stays", "transcode", id, "why", err)
		return river.JobCancel(fmt.Errorf("remove what %s took the place of: %w", id, err))
	}
	again := residueAgain
	switch {
	case !mended && age < lateSoon:
		again = lateSoon
	case t.Packages && age >= residueAgain:
		again = readersGrace
	}
	if wait := again - age; wait > 0 {
		return river.JobSnooze(wait)
	}
	return nil
}

// others are the attempts of which something may land over what a transcode has published:
// its own before the last one, and those of transcodes that it took the place of; none where
// a newer one has taken its place. They are named as outputs.By has it.
func (h *Host) others(ctx context.Context, t *dbsqlc.Transcode, attempts []dbsqlc.Attempt) (map[string]bool, error) {
	own := slices.IndexFunc(attempts, func(a dbsqlc.Attempt) bool { return a.Number == t.Attempt && a.PublishFrom != nil })
	replaced := t.ExternalID == nil && t.FormerExternalID != nil
	if t.State != jobs.StateSucceeded || own < 0 || replaced {
		return nil, nil
	}
	others, from := map[string]bool{}, *attempts[own].PublishFrom
	add := func(attempts []dbsqlc.Attempt) {
		for i := range attempts {
			a := &attempts[i]
			mayLand := a.EndedAt == nil || a.EndedAt.Add(lateMost).After(from)
			if a.PublishFrom != nil && mayLand {
				others[outputs.By(a.TranscodeID, a.Number)] = true
			}
		}
	}
	add(slices.Delete(slices.Clone(attempts), own, own+1))
	if t.ExternalID == nil {
		return others, nil
	}
	q := dbsqlc.New()
	task, err := q.TranscodeListOfTask(ctx, h.DB, dbsqlc.TranscodeListOfTaskParams{Tenant: t.Tenant, ExternalID: *t.ExternalID, PageSize: taskMost})
	if err != nil {
		return nil, fmt.Errorf("list the transcodes of its task: %w", err)
	}
	for i := range task {
		if task[i].ID == t.ID {
			continue
		}
		theirs, err := q.AttemptList(ctx, h.DB, task[i].ID)
		if err != nil {
			return nil, fmt.Errorf("list the attempts of its task: %w", err)
		}
		add(theirs)
	}
	return others, nil
}

// mend looks at what players find by name, and writes anew what one of others has written
// over it: its upload was on its way when it ended, to a server that can't compare.
func (h *Host) mend(ctx context.Context, t *dbsqlc.Transcode, renditions []dbsqlc.Rendition, made []dbsqlc.Output, others map[string]bool) error {
	if len(others) == 0 {
		return nil
	}
	late, rows, err := h.lateOver(ctx, t, made, others)
	if err != nil || len(late) == 0 {
		return err
	}
	p := &packaging{
		host: h, log: h.Log, name: engine.Name{Transcode: t.ID, Attempt: int(t.Attempt)},
		transcode: *t, renditions: renditions, outputs: rows,
	}
	dir := filepath.Join(h.Spool, mendFolder)
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("make room to mend: %w", err)
	}
	err = p.again(ctx, dir, late)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	h.Log.WarnContext(ctx, "written anew what an earlier attempt wrote too late", "transcode", t.ID, "objects", len(late))
	return nil
}

// lateOver is what one of others has written over a transcode's outputs, and whose they are.
func (h *Host) lateOver(ctx context.Context, t *dbsqlc.Transcode, made []dbsqlc.Output, others map[string]bool) (outputs.Late, []dbsqlc.Output, error) {
	late := outputs.Late{}
	var rows []dbsqlc.Output
	for i := range made {
		if made[i].State != jobs.OutputOK || made[i].Type == jobs.OutputTS {
			continue
		}
		output, err := h.output(ctx, t, &made[i])
		if err != nil {
			return nil, nil, err
		}
		objects, err := jobs.ObjectsOf(&made[i])
		if err != nil {
			return nil, nil, err
		}
		before := len(late)
		if err := late.Look(ctx, h.Storage, &output, objects, others); err != nil {
			return nil, nil, err
		}
		if len(late) > before {
			rows = append(rows, made[i])
		}
	}
	return late, rows, nil
}

// again packages what is late once more, of the renditions as they are stored, and writes it.
func (p *packaging) again(ctx context.Context, dir string, late outputs.Late) error {
	order, err := p.order(ctx, dir)
	if err != nil {
		return err
	}
	packed, err := p.pack(ctx, order)
	if err != nil {
		return err
	}
	return packed.Mend(ctx, p.host.Storage, late)
}

// removeResidueOf removes what an attempt left in S3, once that is nobody's; held: what the
// outputs are made of is needed still.
func (h *Host) removeResidueOf(ctx context.Context, t *dbsqlc.Transcode, a *dbsqlc.Attempt,
	renditions []dbsqlc.Rendition, made []dbsqlc.Output, age time.Duration, held bool,
) error {
	kept := held || jobs.FilesKept(t, made) || t.State != jobs.StateSucceeded
	for _, r := range renditions {
		if a.ProcessStartedAt == nil {
			break // it has stored nothing
		}
		if err := h.removeResidue(ctx, t, &r, a.Number, kept); err != nil {
			return err
		}
	}
	if !stale(t, a, age) {
		return nil
	}
	for i := range made {
		output, err := h.output(ctx, t, &made[i])
		if err != nil {
			return err
		}
		for _, folder := range outputs.Packaged(output.Place, t.ID, a.Number) {
			if output.Type != jobs.OutputHLS && output.Type != jobs.OutputFMP4 {
				continue
			}
			removed, err := h.Storage.DeleteFolder(ctx, folder)
			if removed > 0 {
				h.Log.InfoContext(ctx, "older segments removed", "folder", folder, "objects", removed)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// taskMost is how many transcodes of a task are looked at.
const taskMost = 100

// removeReplaced removes what earlier transcodes of a task have packaged where this one's
// masters stand now: also of those that failed when players may have found them already.
func (h *Host) removeReplaced(ctx context.Context, t *dbsqlc.Transcode, made []dbsqlc.Output, age time.Duration) error {
	if t.ExternalID == nil || !t.Packages || t.State != jobs.StateSucceeded || age < readersGrace {
		return nil
	}
	q := dbsqlc.New()
	task, err := q.TranscodeListOfTask(ctx, h.DB, dbsqlc.TranscodeListOfTaskParams{Tenant: t.Tenant, ExternalID: *t.ExternalID, PageSize: taskMost})
	if err != nil {
		return err
	}
	for i := range task {
		if older := &task[i]; older.ID != t.ID && jobs.Terminal(older.State) {
			if err := h.removePackaged(ctx, older, t, made); err != nil {
				return err
			}
		}
	}
	return nil
}

// removePackaged removes what a transcode has packaged, in so far as a newer one has made the
// same at the same place.
func (h *Host) removePackaged(ctx context.Context, older, newer *dbsqlc.Transcode, made []dbsqlc.Output) error {
	q := dbsqlc.New()
	had, err := q.OutputList(ctx, h.DB, older.ID)
	if err != nil {
		return err
	}
	attempts, err := q.AttemptList(ctx, h.DB, older.ID)
	if err != nil {
		return err
	}
	for i := range made {
		o := &made[i]
		if o.State != jobs.OutputOK || !slices.ContainsFunc(had, func(was dbsqlc.Output) bool { return was.Type == o.Type && was.URL == o.URL }) {
			continue
		}
		output, err := h.output(ctx, newer, o)
		if err != nil {
			return err
		}
		for _, a := range attempts {
			folder, is := outputs.PackagedFor(o.Type, output.Place, older.ID, a.Number)
			if a.PackageFrom == nil || !is {
				continue
			}
			removed, err := h.Storage.DeleteFolder(ctx, folder)
			if removed > 0 {
				h.Log.InfoContext(ctx, "replaced segments removed", "folder", folder, "objects", removed)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// stale says whether nobody needs what an attempt has packaged. Players may have found
// what it published, and go on with it until another attempt has taken its place for a
// while; what was not published nobody has seen.
func stale(t *dbsqlc.Transcode, a *dbsqlc.Attempt, age time.Duration) bool {
	switch {
	case a.PackageFrom == nil, a.Number == t.Attempt && t.State == jobs.StateSucceeded:
		return false
	case a.PublishFrom == nil:
		return true
	default:
		return t.State == jobs.StateSucceeded && age >= readersGrace
	}
}

// removeResidue removes what stores of a rendition in an attempt left behind, unless
// it is what the rendition relies on: that goes too where its files are not kept. The
// attempt's stores must be over: nobody else writes to its keys then.
func (h *Host) removeResidue(ctx context.Context, t *dbsqlc.Transcode, r *dbsqlc.Rendition, attempt int32, kept bool) error {
	if kept && r.Attempt == attempt && (r.State == jobs.RenditionOK || r.State == jobs.RenditionPushed) {
		return nil // a lost attempt's host may have come back, and store it
	}
	location, err := h.objectLocation(ctx, t, r.Name, attempt)
	if err != nil {
		return err
	}
	// A key that may do one of the two does that one.
	return errors.Join(h.abortUploads(ctx, location), h.Storage.Delete(ctx, location))
}

// abortUploads ends the half uploads of an object, to which nobody else writes.
func (h *Host) abortUploads(ctx context.Context, location storage.Location) error {
	aborted, err := h.Storage.AbortUploads(ctx, location)
	if aborted > 0 {
		h.Log.InfoContext(ctx, "half uploads aborted", "object", location, "number", aborted)
	}
	return err
}
