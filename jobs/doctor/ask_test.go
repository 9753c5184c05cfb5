package doctor

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
)

// works starts a daemon's River client with its part in examinations.
func works(t *testing.T, b *jobstest.Bundle, e *Examiner) {
	t.Helper()
	client, err := jobs.NewClient(&jobs.Config{DB: b.Pool, Log: jobstest.Silent(), HostID: e.HostID, BootID: uuid.New()}, e.Room,
		func(settings *river.Config) {
			settings.LeaderElectionDisabled = false
			settings.Queues[jobs.HostQueue(e.HostID)] = river.QueueConfig{MaxWorkers: 1}
			settings.Queues[jobs.CallbackQueue] = river.QueueConfig{MaxWorkers: 1}
		})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) })
}

func sees(f ...Finding) []Check {
	return []Check{{Codes: []Code{MistAPI, StorePut}, Look: func(context.Context) []Finding { return append([]Finding{}, f...) }}}
}

func of(found []Finding, daemon string, code Code) (of []Finding) {
	for i := range found {
		if found[i].Daemon == daemon && found[i].Code == code {
			of = append(of, found[i])
		}
	}
	return of
}

// Daemons answer by rows; one that does not is a finding, one that was lost too.
func TestAsk(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	b.Boot(t, "mute", 1)
	b.Boot(t, "lost", 1)
	b.Boot(t, "stopped", 1)
	exec(t, b.Pool, "UPDATE weir.hosts SET lease_until = now() - interval '1 minute' WHERE id = 'lost'")
	exec(t, b.Pool, "UPDATE weir.hosts SET up = false WHERE id = 'stopped'")
	exec(t, b.Pool, "INSERT INTO weir.leads (client_id, lease_until) VALUES ('c', now() + interval '1 hour')")
	store := Wrong(Fail, StorePut, "acme/media", "", "refused")
	works(t, b, &Examiner{DB: b.Pool, HostID: jobstest.Host, Host: sees(Well(MistAPI, "", "it answers"), store), Control: sees(Well(MistAPI, "", "as seen from there"))})

	rows := &Rows{b.Pool, b.River}
	asking, err := rows.Ask(t.Context(), "maya", "", Order{}, time.Minute)
	require.NoError(t, err)
	require.Len(t, asking.Daemons, 4)
	require.Eventually(t, func() bool {
		answered, err := rows.answered(t.Context(), asking)
		return err == nil && answered[jobstest.Host] && answered[Control]
	}, patience, lookAgain)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	found, err := rows.Wait(over, asking)
	require.NoError(t, err)
	require.Equal(t, Fail, Worst(found))
	require.Len(t, of(found, jobstest.Host, StorePut), 1)
	require.Equal(t, store.Mend, of(found, jobstest.Host, StorePut)[0].Mend)
	require.Equal(t, "as seen from there", of(found, Control, MistAPI)[0].Evidence)
	for daemon, evidence := range map[string]string{"mute": "alive by its lease, and did not answer", "lost": "its lease ended, it was seen last at"} {
		silent := of(found, daemon, DaemonSilent)
		require.Len(t, silent, 1)
		require.Equal(t, Fail, silent[0].Verdict)
		require.Contains(t, silent[0].Evidence, evidence)
		require.Equal(t, "on its machine: systemctl status weir-daemon, and `weir-daemon doctor`", silent[0].Mend)
	}
	require.Equal(t, OK, of(found, jobstest.Host, DaemonSilent)[0].Verdict)
	latest, err := Latest(t.Context(), b.Pool)
	require.NoError(t, err)
	require.Len(t, latest, len(found), "all of it stands in rows")
	require.NotNil(t, latest[0].Since)

	// One alone, and one check alone; who comes too late looks at nothing.
	asking, err = rows.Ask(t.Context(), "maya", jobstest.Host, Order{Only: Only{"mist.*"}}, time.Minute)
	require.NoError(t, err)
	waiting, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	found, err = rows.Wait(waiting, asking)
	require.NoError(t, err)
	require.NotEmpty(t, of(found, jobstest.Host, StorePut), "what was found before stays")
	_, err = rows.Ask(t.Context(), "maya", "nobody", Order{}, time.Minute)
	require.ErrorIs(t, err, ErrNoDaemon)
	exec(t, b.Pool, "UPDATE weir.examinations SET ends_at = now()")
	exec(t, b.Pool, "UPDATE weir.examined SET answered_at = NULL")
	e := &Examiner{DB: b.Pool, HostID: "mute", Host: []Check{{Codes: []Code{MistAPI}, Look: func(context.Context) []Finding { panic("too late") }}}}
	require.NoError(t, e.Answer(t.Context(), asking.ID, "mute"))
	require.NoError(t, e.Answer(t.Context(), uuid.New(), "mute"))
}

// Nobody leads: it is told at once, and not waited for.
func TestNobodyLeads(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	exec(t, b.Pool, "DELETE FROM weir.hosts")
	rows := &Rows{b.Pool, b.River}
	asking, err := rows.Ask(t.Context(), "maya", "", Order{}, time.Hour)
	require.NoError(t, err)
	found, err := rows.Wait(t.Context(), asking)
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, DaemonNone, found[0].Code)
	require.Contains(t, found[0].Mend, "weir-daemon doctor")
}

// A leader asks all again and again: for what is cheap, and who was silent is told of.
func TestAskAll(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	exec(t, b.Pool, "INSERT INTO weir.leads (client_id, lease_until) VALUES ('c', now() + interval '1 hour')")
	b.Boot(t, "mute", 1)
	e := &Examiner{DB: b.Pool, HostID: jobstest.Host, Host: sees(Well(MistAPI, "", "it answers"), Well(StorePut, "", "dear")), Control: []Check{}}
	require.NoError(t, e.askAll(t.Context(), b.River))
	var id uuid.UUID
	require.NoError(t, b.Pool.QueryRow(t.Context(), "SELECT id FROM weir.examinations WHERE cheap").Scan(&id))
	require.Equal(t, 3, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'examine'"))
	require.NoError(t, e.Answer(t.Context(), id, jobstest.Host))
	require.NoError(t, e.Answer(t.Context(), id, Control))
	exec(t, b.Pool, "UPDATE weir.examinations SET ends_at = now()")
	require.NoError(t, e.askAll(t.Context(), b.River))
	latest, err := Latest(t.Context(), b.Pool)
	require.NoError(t, err)
	require.NotEmpty(t, of(latest, Database, PostgresVersion), "the database too")
	require.Len(t, of(latest, jobstest.Host, MistAPI), 1)
	require.Empty(t, of(latest, jobstest.Host, StorePut), "it is not cheap")
	require.Equal(t, Fail, of(latest, "mute", DaemonSilent)[0].Verdict)
	require.Equal(t, OK, of(latest, jobstest.Host, DaemonSilent)[0].Verdict)
}

// What is not there any more is forgotten, what stays keeps since when it is so.
func TestWrite(t *testing.T) {
	t.Parallel()
	b := jobstest.New(t)
	put := func(findings ...Finding) []dbsqlc.Finding {
		for i := range findings {
			findings[i].Daemon = "h"
		}
		require.NoError(t, Write(t.Context(), b.Pool, "h", []Code{StorePut}, findings))
		rows, err := dbsqlc.New().FindingList(t.Context(), b.Pool)
		require.NoError(t, err)
		return rows
	}
	first := put(Well(StorePut, "a", "done"), Wrong(Fail, StorePut, "b", "", "refused"))
	require.Len(t, first, 2)
	second := put(Wrong(Fail, StorePut, "b", "", "refused again"))
	require.Len(t, second, 1)
	require.Equal(t, first[1].Since, second[0].Since)
	require.True(t, second[0].FoundAt.After(first[1].FoundAt))
	third := put(Well(StorePut, "b", "done"))
	require.True(t, third[0].Since.After(first[1].Since))
}

func TestPrint(t *testing.T) {
	t.Parallel()
	findings := []Finding{
		Well(PostgresReach, "", "%s", strings.Repeat("far ", 40)),
		Wrong(Fail, StorePut, "acme/media", "", "refused\x1b[31m by %s", strings.Repeat("word ", 40)),
		Wrong(Unknown, MistTrigger, "", "", "no answer"),
	}
	var out bytes.Buffer
	require.NoError(t, Print(&out, findings))
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 80, line)
	}
	require.NotContains(t, out.String(), "\x1b")
	require.Contains(t, out.String(), "\nFAIL     store.put")
	require.Contains(t, out.String(), "\n         -> correct the store by")
	require.Contains(t, out.String(), "1 fail, 0 warn, 1 unknown, 1 ok\n")
}

func TestParseOnly(t *testing.T) {
	t.Parallel()
	only, err := ParseOnly("store.*, mist.api")
	require.NoError(t, err)
	require.True(t, only.Has(StoreGet))
	require.False(t, only.Has(MistVersion))
	require.True(t, (Only)(nil).Has(MistVersion))
	_, err = ParseOnly("stores")
	require.ErrorContains(t, err, `"stores" is no check: name one of postgres.reach`)
}
