package main

import (
	"context"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/jobs"
	"weir/jobs/doctor"
	"weir/jobs/jobstest"
)

// examined has a daemon's River client answer for host mist-1.
func (b *bundle) examined(t *testing.T, verdict doctor.Verdict) {
	t.Helper()
	b.exec(t, `INSERT INTO weir.hosts (id, boot_id, slots, lease_until, spool_room_bytes) VALUES ('mist-1', gen_random_uuid(), 4, now() + interval '1 hour', 1)`)
	b.exec(t, `INSERT INTO weir.leads (client_id, lease_until) VALUES ('c', now() + interval '1 hour')`)
	b.exec(t, `INSERT INTO weir.river_leader (leader_id, elected_at, expires_at) VALUES ('c', now(), now() + interval '1 hour')`)
	look := []doctor.Check{{Codes: []doctor.Code{doctor.MistAPI}, Look: func(context.Context) []doctor.Finding {
		if verdict == doctor.OK {
			return []doctor.Finding{doctor.Well(doctor.MistAPI, "", "it answers")}
		}
		return []doctor.Finding{doctor.Wrong(verdict, doctor.MistAPI, "", "", "refused")}
	}}}
	e := &doctor.Examiner{DB: b.pool, HostID: "mist-1", Host: look}
	client, err := jobs.NewClient(&jobs.Config{DB: b.pool, Log: jobstest.Silent(), HostID: "mist-1", BootID: uuid.New()}, e.Room, func(settings *river.Config) {
		settings.Queues[jobs.HostQueue("mist-1")] = river.QueueConfig{MaxWorkers: 1}
		settings.Queues[jobs.CallbackQueue] = river.QueueConfig{MaxWorkers: 1}
	})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.StopAndCancel(context.WithoutCancel(t.Context()))) })
}

func TestDoctor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// Nobody is there: that is told at once, and the database all the same.
	r := b.run(t, "doctor")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "FAIL     daemon.none  control\n")
	require.Contains(t, r.stdout, "ok       schema.version  database  version")
	require.Equal(t, "weir-admin: something fails; docs/doctor.md has a section for each code\n", r.stderr)

	b.examined(t, doctor.OK)
	out := b.ok(t, "doctor", "--only", "mist.*,schema.*,daemon.*")
	require.Contains(t, out, "ok       mist.api  mist-1  it answers\n")
	require.Contains(t, out, "ok       daemon.silent  control  it answers\n")
	for line := range strings.Lines(out) {
		require.LessOrEqual(t, len([]rune(strings.TrimSuffix(line, "\n"))), 80, line)
	}
	var list doctor.List
	b.decode(t, &list, "doctor", "--host", "mist-1", "--only", "mist.*")
	require.Equal(t, doctor.OK, list.Worst)
	require.Len(t, list.Findings, 1)
	require.Equal(t, "mist-1", list.Findings[0].Daemon)

	r = b.run(t, "doctor", "--host", "nobody")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "nobody: no such daemon; `weir-admin hosts list` shows")
	for _, wrong := range [][]string{{"--only", "stores"}, {"--timeout", "0s"}, {"more"}} {
		require.Equal(t, exitUsage, b.run(t, append([]string{"doctor"}, wrong...)...).code, wrong)
	}
}

func TestDoctorFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.examined(t, doctor.Fail)
	r := b.run(t, "doctor", "--only", "mist.*")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "FAIL     mist.api  mist-1\n         refused\n         -> start MistServer, or correct WEIR_MIST_API")
}

// The database is what is broken: that is what is said.
func TestDoctorWithoutDatabase(t *testing.T) {
	t.Parallel()
	r := command(t.Context(), []string{databaseEnv + "=postgres://u:PLANTED@127.0.0.1:1/weir"}, "doctor")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "FAIL     postgres.reach")
	require.Contains(t, r.stdout, "-> start Postgres, or correct its address, WEIR_DATABASE_URL or")
	require.NotContains(t, r.stdout+r.stderr, "PLANTED")

	b := setup(t)
	b.exec(t, "UPDATE weir.schema_migrations SET version = 20")
	r = b.run(t, "doctor")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stdout, "-> run `weir-admin db migrate`")
}
