package events

import (
	"context"
	"fmt"
	"maps"

	"github.com/google/uuid"

	"weir/api/view"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// progress tells how far those are that hosts have, where that has changed, and to who is
// new all of it; and, if it is due, where those stand that wait and are listened to.
func (h *Hub) progress(ctx context.Context, positions bool) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	rows, err := dbsqlc.New().TranscodeListOnHosts(ctx, h.DB)
	if err != nil {
		return fmt.Errorf("read how far transcodes are: %w", err)
	}
	news, all := newRound(), newRound()
	told := make(map[uuid.UUID]string, len(rows))
	newcomers := h.newcomers()
	for i := range rows {
		r := &rows[i]
		is := fmt.Sprint(r.State, r.Attempt, r.Ratio, string(r.Progress), r.Stage)
		told[r.ID] = is
		changed := h.told[r.ID] != is
		if !changed && len(newcomers) == 0 {
			continue
		}
		e := view.ProgressEvent(onHost(r))
		if e.Progress == nil {
			continue
		}
		frame, err := Frame(&e)
		if err != nil {
			return err
		}
		if changed {
			news.add(r.ID, r.Tenant, frame, false)
		}
		if len(newcomers) > 0 {
			all.add(r.ID, r.Tenant, frame, false)
		}
	}
	h.told = told
	if positions || len(newcomers) > 0 {
		if err := h.addPositions(ctx, news, all); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for l := range newcomers {
		delete(h.fresh, l)
		l.push(all.of(l.scope), "")
	}
	h.send(news, newcomers)
	return nil
}

// newcomers are those that have yet to hear how far everything is.
func (h *Hub) newcomers() set {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.fresh)
}

// addPositions adds where those stand in the queue that are listened to one by one.
func (h *Hub) addPositions(ctx context.Context, news, all *round) error {
	ids := h.unplaced()
	if len(ids) == 0 {
		return nil
	}
	rows, err := dbsqlc.New().TranscodePositions(ctx, h.DB, dbsqlc.TranscodePositionsParams{Ids: ids, PageSize: positionsMost})
	if err != nil {
		return fmt.Errorf("read places in the queue: %w", err)
	}
	positions := make(map[uuid.UUID]jobs.Position, len(rows))
	for i := range rows {
		r := &rows[i]
		is := jobs.Position{Own: r.Own, Everybodys: r.Everybodys}
		positions[r.ID] = is
		e := view.ProgressEvent(&jobs.Detail{Position: &is, Transcode: dbsqlc.Transcode{
			ID: r.ID, Tenant: r.Tenant, ExternalID: r.ExternalID, State: jobs.StateQueued, Run: r.Run, Attempt: r.Attempt, Ratio: r.Ratio,
		}})
		frame, err := Frame(&e)
		if err != nil {
			return err
		}
		if was, known := h.positions[r.ID]; !known || was != is {
			news.add(r.ID, r.Tenant, frame, false)
		}
		all.add(r.ID, r.Tenant, frame, false)
	}
	h.positions = positions
	return nil
}

// unplaced are the transcodes that somebody listens to and no host has.
func (h *Hub) unplaced() (ids []uuid.UUID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for id := range h.transcodes {
		if _, placed := h.told[id]; !placed {
			ids = append(ids, id)
		}
	}
	return ids
}

func onHost(r *dbsqlc.TranscodeListOnHostsRow) *jobs.Detail {
	return &jobs.Detail{
		Transcode: dbsqlc.Transcode{
			ID: r.ID, Tenant: r.Tenant, ExternalID: r.ExternalID, State: r.State, Run: r.Run, Attempt: r.Attempt,
			HostID: r.HostID, Ratio: r.Ratio, Progress: r.Progress, SourceDurationMs: r.SourceDurationMs,
		},
		Attempt: &dbsqlc.Attempt{Stage: r.Stage},
	}
}
