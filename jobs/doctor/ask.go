package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// askKept and findingKept are for whoever looks; a daemon that nobody asks any more is
	// forgotten.
	askKept, findingKept = 24 * time.Hour, 7 * 24 * time.Hour
	// answerEvery is how late an answer is seen.
	answerEvery = 250 * time.Millisecond
	// AnswerWithin is what daemons get where nobody says otherwise: above the longest check.
	AnswerWithin = 45 * time.Second
	// automatic is who asks where no person does.
	automatic = "weir"
)

// ErrNoDaemon: nobody of that name is there to be asked.
var ErrNoDaemon = errors.New("no such daemon")

// Rows are the askings and answers.
type Rows struct {
	DB    *pgxpool.Pool
	River *river.Client[pgx.Tx]
}

// Asking is one, with whom it asks.
type Asking struct {
	ID      uuid.UUID
	Daemons []Daemon
	began   time.Time
}

// Daemon is one that is asked.
type Daemon struct {
	ID string
	// Alive by its lease.
	Alive  bool
	SeenAt time.Time
}

// Ask asks daemons to look: all of them, or the one that is named. They have `within` to
// answer.
func (r *Rows) Ask(ctx context.Context, by, daemon string, order Order, within time.Duration) (*Asking, error) {
	asking := &Asking{ID: uuid.New(), began: time.Now()}
	err := db.InTx(ctx, r.DB, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		asking.Daemons = nil
		if err := q.ExaminationPrune(ctx, tx, askKept.Seconds()); err != nil {
			return err
		}
		all, err := daemons(ctx, tx)
		if err != nil {
			return err
		}
		for _, d := range all {
			if daemon == "" || d.ID == daemon {
				asking.Daemons = append(asking.Daemons, d)
			}
		}
		if daemon != "" && len(asking.Daemons) == 0 {
			return fmt.Errorf("%s: %w", daemon, ErrNoDaemon)
		}
		if err := q.ExaminationInsert(ctx, tx, dbsqlc.ExaminationInsertParams{
			ID: asking.ID, AskedBy: by, Only: append([]string{}, order.Only...), Cheap: order.Cheap, Seconds: within.Seconds(),
		}); err != nil {
			return err
		}
		for _, d := range asking.Daemons {
			var job *int64
			if d.Alive { // who is not would find it when it is of no use
				opts := &river.InsertOpts{}
				if d.ID != Control {
					opts.Queue = jobs.HostQueue(d.ID)
				}
				inserted, err := r.River.InsertTx(ctx, tx, jobs.ExamineArgs{ExaminationID: &asking.ID, Daemon: d.ID}, opts)
				if err != nil {
					return err
				}
				job = &inserted.Job.ID
			}
			if err := q.ExaminedInsert(ctx, tx, dbsqlc.ExaminedInsertParams{ExaminationID: asking.ID, Daemon: d.ID, JobID: job}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask daemons to look: %w", err)
	}
	return asking, nil
}

// daemons are whom there is to ask: hosts that were not stopped, and who leads.
func daemons(ctx context.Context, on dbsqlc.DBTX) ([]Daemon, error) {
	q := dbsqlc.New()
	hosts, err := q.ExamineHosts(ctx, on)
	if err != nil {
		return nil, err
	}
	var all []Daemon
	for _, host := range hosts {
		all = append(all, Daemon{ID: host.ID, Alive: host.Alive, SeenAt: host.SeenAt})
	}
	leads, err := q.ExamineLeads(ctx, on)
	if err != nil {
		return nil, err
	}
	return append(all, Daemon{ID: Control, Alive: leads > 0}), nil
}

// Wait waits until all who are alive have answered, or ctx ends, and returns what they
// found; of each who has not answered, that.
func (r *Rows) Wait(ctx context.Context, asking *Asking) ([]Finding, error) {
	tick := time.NewTicker(answerEvery)
	defer tick.Stop()
	for {
		answered, err := r.answered(ctx, asking)
		if err != nil && ctx.Err() == nil {
			return nil, err
		}
		if err == nil && !slices.ContainsFunc(asking.Daemons, func(d Daemon) bool { return d.Alive && !answered[d.ID] }) {
			return r.close(ctx, asking, answered)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkMost)
			defer cancel()
			if answered, err = r.answered(last, asking); err != nil {
				return nil, err
			}
			return r.close(last, asking, answered)
		case <-tick.C:
		}
	}
}

func (r *Rows) answered(ctx context.Context, asking *Asking) (map[string]bool, error) {
	rows, err := dbsqlc.New().ExaminedList(ctx, r.DB, asking.ID)
	if err != nil {
		return nil, fmt.Errorf("look for answers: %w", err)
	}
	answered := map[string]bool{}
	for _, row := range rows {
		answered[row.Daemon] = row.AnsweredAt != nil
	}
	return answered, nil
}

// close collects the findings of those who answered, and tells of the others.
func (r *Rows) close(ctx context.Context, asking *Asking, answered map[string]bool) ([]Finding, error) {
	all, err := Latest(ctx, r.DB)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for i := range all {
		if answered[all[i].Daemon] && all[i].Code != DaemonSilent && all[i].Code != DaemonNone {
			found = append(found, all[i])
		}
	}
	waited := time.Since(asking.began).Round(time.Second)
	for _, d := range asking.Daemons {
		f := Well(DaemonSilent, "", "it answers")
		switch {
		case answered[d.ID]:
		case d.ID == Control && !d.Alive:
			f = Wrong(Fail, DaemonNone, "", "", "no daemon leads: nothing is placed, no callback is delivered")
		case !d.Alive:
			f = Wrong(Fail, DaemonSilent, "", "", "its lease ended, it was seen last at %s", d.SeenAt.UTC().Format(time.DateTime+"Z"))
		default:
			f = Wrong(Fail, DaemonSilent, "", "", "it is alive by its lease, and did not answer within %s: its queue is not worked on", waited)
		}
		f.Daemon, f.At = d.ID, time.Now().UTC()
		found = append(found, f)
	}
	Sort(found)
	for _, d := range asking.Daemons {
		mine := slices.DeleteFunc(slices.Clone(found), func(f Finding) bool {
			return f.Daemon != d.ID || f.Code != DaemonSilent && f.Code != DaemonNone
		})
		if err := Write(ctx, r.DB, d.ID, []Code{DaemonSilent, DaemonNone}, mine); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Write makes findings the newest of a daemon on these codes.
func Write(ctx context.Context, on db.Beginner, daemon string, looked []Code, findings []Finding) error {
	err := db.InTx(ctx, on, func(tx pgx.Tx) error { return write(ctx, tx, daemon, looked, findings) })
	if err != nil {
		return fmt.Errorf("write what %s found: %w", daemon, err)
	}
	return nil
}

func write(ctx context.Context, tx pgx.Tx, daemon string, looked []Code, findings []Finding) error {
	q := dbsqlc.New()
	for i := range findings {
		f := &findings[i]
		if f.Daemon != daemon {
			continue
		}
		if err := q.FindingSet(ctx, tx, dbsqlc.FindingSetParams{
			Daemon: f.Daemon, Code: string(f.Code), Subject: f.Subject, Verdict: string(f.Verdict),
			Evidence: f.Evidence, Mend: f.Mend, TookMs: f.TookMS,
		}); err != nil {
			return err
		}
	}
	codes := make([]string, len(looked))
	for i, code := range looked {
		codes[i] = string(code)
	}
	return q.FindingDrop(ctx, tx, dbsqlc.FindingDropParams{Daemon: daemon, Codes: codes})
}

// Latest is the newest word on each thing, of all daemons, as rows have it.
func Latest(ctx context.Context, on dbsqlc.DBTX) ([]Finding, error) {
	rows, err := dbsqlc.New().FindingList(ctx, on)
	if err != nil {
		return nil, fmt.Errorf("list findings: %w", err)
	}
	findings := make([]Finding, len(rows))
	for i := range rows {
		row := &rows[i]
		findings[i] = Finding{
			Daemon: row.Daemon, Code: Code(row.Code), Subject: row.Subject, Verdict: Verdict(row.Verdict),
			Evidence: row.Evidence, Mend: row.Mend, TookMS: row.TookMs, At: row.FoundAt.UTC(), Since: new(row.Since.UTC()),
		}
	}
	Sort(findings)
	return findings, nil
}
