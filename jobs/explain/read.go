package explain

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// countMost ends the counting of what waits: nobody waits for a place so far behind.
	countMost = 10_001
	// positionsMost is how far a queue is counted for a place in it.
	positionsMost = 1000
	// holdsMost of the newest ends tell how long a slot is held.
	holdsMost = 200
)

// Read takes the rows of a transcode, as they were at one moment. One that nobody knows is
// jobs.ErrNotFound; an id that stands for another transcode gives that one's.
func Read(ctx context.Context, on db.Beginner, id uuid.UUID) (*Rows, error) {
	var r *Rows
	err := db.Snapshot(ctx, on, func(tx pgx.Tx) (err error) {
		r = &Rows{Jobs: map[int64]dbsqlc.RiverJobLookRow{}}
		if err := r.around(ctx, tx); err != nil {
			return err
		}
		if err := r.own(ctx, tx, id); err != nil {
			return err
		}
		if r.Transcode.State == jobs.StateQueued && r.AcceptJob == nil {
			if err := r.queue(ctx, tx); err != nil {
				return err
			}
		}
		return r.jobs(ctx, tx)
	})
	if err != nil {
		return nil, fmt.Errorf("explain transcode %s: %w", id, err)
	}
	return r, nil
}

// around reads what is the same for all.
func (r *Rows) around(ctx context.Context, tx pgx.Tx) error {
	q := dbsqlc.New()
	leads, err := q.LeadLook(ctx, tx)
	if err != nil {
		return fmt.Errorf("read who leads: %w", err)
	}
	r.Now, r.Leads, r.UrgentPercent = leads.Now, leads.Alive, leads.UrgentPercent
	if r.PausedQueues, err = q.RiverQueuePaused(ctx, tx); err != nil {
		return fmt.Errorf("list paused queues: %w", err)
	}
	if r.Hosts, err = q.HostList(ctx, tx); err != nil {
		return fmt.Errorf("list hosts: %w", err)
	}
	return nil
}

// own reads the transcode and what is of it.
func (r *Rows) own(ctx context.Context, tx pgx.Tx, id uuid.UUID) error {
	q := dbsqlc.New()
	t, err := q.TranscodeGet(ctx, tx, id)
	if errors.Is(err, pgx.ErrNoRows) {
		waits, missing := q.InboxLook(ctx, tx, id)
		switch {
		case missing == nil:
			r.Transcode = dbsqlc.Transcode{
				ID: waits.ID, Tenant: waits.Tenant, ExternalID: waits.ExternalID, State: jobs.StateQueued, Run: 1,
				Priority: jobs.DefaultPriority, CreatedAt: waits.CreatedAt, UpdatedAt: waits.CreatedAt, RunAt: waits.CreatedAt,
			}
			r.AcceptJob = &waits.JobID
			return nil
		case !errors.Is(missing, pgx.ErrNoRows):
			return fmt.Errorf("look into the inbox: %w", missing)
		}
		if id, err = q.EnqueuedGet(ctx, tx, id); err == nil {
			t, err = q.TranscodeGet(ctx, tx, id)
		}
	}
	if errors.Is(err, pgx.ErrNoRows) {
		return jobs.ErrNotFound
	}
	if err != nil {
		return err
	}
	r.Transcode = t
	if r.Attempts, err = q.AttemptList(ctx, tx, t.ID); err != nil {
		return fmt.Errorf("list attempts: %w", err)
	}
	if r.Renditions, err = q.RenditionList(ctx, tx, t.ID); err != nil {
		return fmt.Errorf("list renditions: %w", err)
	}
	if r.Outputs, err = q.OutputList(ctx, tx, t.ID); err != nil {
		return fmt.Errorf("list outputs: %w", err)
	}
	callbacks, err := q.CallbackListOf(ctx, tx, []uuid.UUID{t.ID})
	if err != nil {
		return fmt.Errorf("list callbacks: %w", err)
	}
	if len(callbacks) > 0 {
		r.Callback = &callbacks[0]
	}
	events, err := q.MistEventList(ctx, db.Replanned{On: tx}, dbsqlc.MistEventListParams{TranscodeID: &t.ID, PageSize: 1})
	if err != nil {
		return fmt.Errorf("list triggers: %w", err)
	}
	if len(events) > 0 {
		r.Event = &events[0]
	}
	return nil
}

// queue reads where it waits, and with whom.
func (r *Rows) queue(ctx context.Context, tx pgx.Tx) error {
	q := dbsqlc.New()
	positions, err := q.TranscodePositions(ctx, tx, dbsqlc.TranscodePositionsParams{Ids: []uuid.UUID{r.Transcode.ID}, PageSize: positionsMost})
	if err != nil {
		return fmt.Errorf("find its place in the queue: %w", err)
	}
	for _, p := range positions {
		r.Position = &jobs.Position{Own: p.Own, Everybodys: p.Everybodys}
	}
	turn, err := q.PlacementLook(ctx, tx, dbsqlc.PlacementLookParams{Tenant: r.Transcode.Tenant, PageSize: countMost})
	if err != nil {
		return fmt.Errorf("read whose turn it is: %w", err)
	}
	r.Turn = &turn
	holds, err := q.AttemptHoldSeconds(ctx, tx, holdsMost)
	if err != nil {
		return fmt.Errorf("read how long slots are held: %w", err)
	}
	r.HoldSeconds = holds.Seconds
	return nil
}

// jobs reads those that rows name.
func (r *Rows) jobs(ctx context.Context, tx pgx.Tx) error {
	var ids []int64
	add := func(id *int64) {
		if id != nil {
			ids = append(ids, *id)
		}
	}
	add(r.AcceptJob)
	if a := r.attempt(); a != nil {
		add(a.JobID)
		add(a.PackageJobID)
	}
	for i := range r.Renditions {
		add(r.Renditions[i].JobID)
	}
	if r.Callback != nil {
		add(r.Callback.JobID)
	}
	list, err := dbsqlc.New().RiverJobLook(ctx, tx, ids)
	if err != nil {
		return fmt.Errorf("read jobs: %w", err)
	}
	for i := range list {
		r.Jobs[list[i].ID] = list[i]
	}
	return nil
}
