package fleet

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

// holdsMost are shown of what one host has in hand: more than any has slots, and what only
// stores beside them.
const holdsMost = 1000

// The states of a host, as weir.v_hosts has them too.
const (
	// Alive takes work, while a slot of it is free.
	Alive = "alive"
	// Stopped, Lost, Draining, MistSilent and SpoolFull are what keeps the others from it.
	Stopped    = "stopped"
	Lost       = "lost"
	Draining   = "draining"
	MistSilent = "mist silent"
	SpoolFull  = "spool full"
)

// HostState is one word for a host, the first that keeps it from work. One that was stopped
// is no lost one, however long ago: it gave its work time to be taken up again.
func HostState(h *dbsqlc.HostListRow) string { return StateOf(&h.Host, h.Alive) }

// StateOf is that of a host whose lease is known to run, or to have ended.
func StateOf(h *dbsqlc.Host, leased bool) string {
	switch {
	case !h.Up:
		return Stopped
	case !leased:
		return Lost
	case h.Draining:
		return Draining
	case h.MistSilentFrom != nil:
		return MistSilent
	case h.SpoolRoomBytes <= 0:
		return SpoolFull
	}
	return Alive
}

// Held is a transcode that a host has in hand, and how far it is.
type Held struct {
	ID         uuid.UUID  `json:"id"`
	Tenant     string     `json:"tenant"`
	ExternalID *string    `json:"external_id"`
	Host       string     `json:"host"`
	State      string     `json:"state"`
	Stage      string     `json:"stage"`
	Attempt    int32      `json:"attempt"`
	Ratio      float64    `json:"ratio"`
	Speed      *float64   `json:"speed"`
	ETASeconds *float64   `json:"eta_seconds"`
	ToldAt     *time.Time `json:"told_at"`
}

// held shows one from its row.
func held(t *dbsqlc.Transcode, done string, packaging bool, now time.Time) Held {
	h := Held{
		ID: t.ID, Tenant: t.Tenant, ExternalID: t.ExternalID, State: t.State, Attempt: t.Attempt, Ratio: t.Ratio,
		Stage: string(jobs.StageAt(t, done)),
	}
	if t.HostID != nil {
		h.Host = *t.HostID
	}
	if packaging {
		h.Stage = string(jobs.StagePackage)
	}
	if p := jobs.ProgressOf(t); p != nil {
		h.ToldAt, h.ETASeconds = &p.At, p.ETA(now)
		if string(p.Stage) == h.Stage {
			h.Speed = p.Speed
		}
	}
	return h
}

// Holding is a host with what it has in hand.
type Holding struct {
	Row  dbsqlc.HostListRow
	Held []Held
	// Uncleaned are its attempts that have ended and that it has still to clean up behind,
	// counted to a thousand.
	Uncleaned int64
}

// Holds reads a host with what it has in hand. jobs.ErrNoHost: there is none of this id.
func Holds(ctx context.Context, on db.Beginner, id string) (*Holding, error) {
	holding := &Holding{}
	err := db.Snapshot(ctx, on, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		hosts, err := q.HostList(ctx, tx)
		if err != nil {
			return err
		}
		found := false
		for i := range hosts {
			if hosts[i].Host.ID == id {
				holding.Row, found = hosts[i], true
			}
		}
		if !found {
			return jobs.ErrNoHost
		}
		leads, err := q.LeadLook(ctx, tx)
		if err != nil {
			return err
		}
		rows, err := q.HostHolds(ctx, tx, dbsqlc.HostHoldsParams{HostID: id, PageSize: holdsMost})
		if err != nil {
			return err
		}
		holding.Held = make([]Held, len(rows))
		for i := range rows {
			r := &rows[i]
			holding.Held[i] = held(&dbsqlc.Transcode{
				ID: r.ID, Tenant: r.Tenant, ExternalID: r.ExternalID, HostID: &id, State: r.State, Attempt: r.Attempt, Ratio: r.Ratio,
				Progress: r.Progress, SourceDurationMs: r.SourceDurationMs,
			}, r.Stage, r.Packaging, leads.Now)
		}
		holding.Uncleaned, err = q.HostUncleaned(ctx, tx, dbsqlc.HostUncleanedParams{HostID: id, PageSize: holdsMost})
		return err
	})
	if errors.Is(err, jobs.ErrNoHost) {
		return nil, fmt.Errorf("host %s: %w", id, err)
	}
	if err != nil {
		return nil, fmt.Errorf("read host %s: %w", id, err)
	}
	return holding, nil
}
