package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"weir/jobs"
	"weir/jobs/doctor"
)

var errUnwell = errors.New("something fails; docs/doctor.md has a section for each code")

// A daemon is asked by a job, which takes a moment; who waits longer than the most looks at
// `v_findings` instead.
const withinLeast, withinMost = time.Second, 10 * time.Minute

func (a *admin) doctor() *cobra.Command {
	var host, onlyText string
	var within time.Duration
	var only doctor.Only
	c := &cobra.Command{
		Use: "doctor", Short: "Look at the database, and have daemons look at what is around them", Args: asUsed,
		PreRunE: func(*cobra.Command, []string) (err error) {
			if within < withinLeast || within > withinMost {
				return fmt.Errorf("--timeout is %s: give %s to %s", within, withinLeast, withinMost)
			}
			only, err = doctor.ParseOnly(onlyText)
			if err != nil {
				return fmt.Errorf("--only: %w", err)
			}
			return nil
		},
		RunE: act(func(ctx context.Context, _ []string) error {
			if err := a.connect(ctx); err != nil {
				return err
			}
			findings, err := a.look(ctx, host, only, within)
			if err != nil {
				return err
			}
			worst := doctor.Worst(findings)
			if err := a.print(doctor.List{Worst: worst, Findings: findings}, func() error { return doctor.Print(a.out, findings) }); err != nil {
				return err
			}
			if worst == doctor.Fail {
				return errUnwell
			}
			return nil
		}),
	}
	c.Flags().StringVar(&host, "host", "", "ask this host alone, or \"control\": a daemon that leads")
	c.Flags().StringVar(&onlyText, "only", "", "the checks that are wanted, by commas, as store.*,mist.api")
	c.Flags().DurationVar(&within, "timeout", doctor.AnswerWithin, "how long daemons may take to answer")
	return c
}

// look looks at the database, and where that is well enough has daemons look.
func (a *admin) look(ctx context.Context, host string, only doctor.Only, within time.Duration) ([]doctor.Finding, error) {
	order := doctor.Order{Only: only}
	var findings []doctor.Finding
	reach, _ := doctor.Run(ctx, doctor.Database, doctor.Order{}, doctor.ReachCheck(a.pool))
	if reach[0].Verdict == doctor.Fail {
		return reach, nil
	}
	schema, _ := doctor.Run(ctx, doctor.Database, doctor.Order{Only: doctor.Only{string(doctor.SchemaVersion)}}, doctor.DatabaseChecks(a.pool)...)
	if schema[0].Verdict == doctor.Fail {
		return append(reach, schema...), nil // there is nobody to ask
	}
	if host == "" {
		var looked []doctor.Code
		findings, looked = doctor.Run(ctx, doctor.Database, order, doctor.DatabaseChecks(a.pool)...)
		if only.Has(doctor.PostgresReach) {
			findings, looked = append(findings, reach...), append(looked, doctor.PostgresReach)
		}
		if err := doctor.Write(ctx, a.pool, doctor.Database, looked, findings); err != nil {
			return nil, err
		}
	}
	inserter, err := jobs.NewInserter(a.pool)
	if err != nil {
		return nil, err
	}
	rows := &doctor.Rows{DB: a.pool, River: inserter}
	asking, err := rows.Ask(ctx, a.who(), host, order, within)
	if err != nil {
		if errors.Is(err, doctor.ErrNoDaemon) {
			return nil, fmt.Errorf("%w; `weir-admin hosts list` shows who there is", err)
		}
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	answers, err := rows.Wait(waiting, asking)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		code := answers[i].Code
		if only.Has(code) || answers[i].Verdict != doctor.OK && slices.Contains([]doctor.Code{doctor.DaemonSilent, doctor.DaemonNone}, code) {
			findings = append(findings, answers[i])
		}
	}
	doctor.Sort(findings)
	return findings, nil
}
