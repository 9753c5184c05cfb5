package e2e

import (
	"bytes"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/devstack"
	"weir/internal/mistsim/broadcaster"
	"weir/secret"
)

// A dump that docs/backup.md's commands take under load, restored into a new database behind
// the daemons: nothing is lost that was told as done before the dump, all else that it knows
// goes on or starts again and gets its terminal callback, and what came after it is unknown.
func TestRestore(t *testing.T) {
	t.Parallel()
	needsStandIn(t, "forget what it did since the dump")
	b := setupOwn(t, func(cfg *devstack.Config) { cfg.Slots = 2 })
	gateway := startGateway(t)
	door := b.startDoor(t, ".ts", false)
	deaf, err := devstack.StartStudio(b.ctx, &devstack.StudioConfig{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, deaf.Close()) })
	deaf.SetMode(devstack.Mode{Status: 503})

	source, facts := b.source(t, plain())
	lengthy, lengthyFacts := b.source(t, long())
	done := b.succeeds(t, b.submit(t, b.request(t, source)), facts)
	untold := b.request(t, b.missing(t))
	untold.CallbackURL = deaf.URL + b.prefix
	due := b.submit(t, untold)
	b.awaitTranscode(t, due, func(transcode *devstack.Transcode) bool {
		return transcode.Terminal() && transcode.Callback.State == "pending" && transcode.Callback.Attempts > 0
	})
	stored := b.request(t, source)
	stored.Output = door.output(t, b)
	storing := b.submit(t, stored)
	b.awaitTranscode(t, storing, func(transcode *devstack.Transcode) bool { return transcode.State == "storing" })
	require.NoError(t, gateway.SetFaults(broadcaster.Faults{Mode: broadcaster.ModeHang, Match: secondSegment}))
	held := b.request(t, lengthy)
	held.Livepeer = gateway.livepeer()
	running := []string{b.submit(t, held), b.submit(t, held)}
	for _, id := range running {
		b.awaitTranscode(t, id, func(transcode *devstack.Transcode) bool { return transcode.Renditions[0].State == "pushing" })
	}
	queued := b.submit(t, b.request(t, source))
	b.awaitTranscode(t, queued, func(transcode *devstack.Transcode) bool { return transcode.State == "queued" })

	dump := filepath.Join(t.TempDir(), "weir.dump")
	postgres(t, b.Database, "pg_dump", "--format=custom", "--schema=weir", "--no-unlogged-table-data", "--file="+dump)

	// It goes on: one that ran ends and is told, one is accepted that the dump doesn't know.
	_, err = b.API.Cancel(b.ctx, running[1])
	require.NoError(t, err)
	require.NoError(t, gateway.SetFaults(calm()))
	b.succeeds(t, running[0], lengthyFacts)
	later := b.submit(t, b.request(t, source))
	told := b.lines(t, "SELECT max(id)::text FROM weir.events")[0]

	require.NoError(t, b.Daemons[0].Kill())
	b.replace(t)
	postgres(t, b.Database, "pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--dbname="+string(withoutPassword(t, b.Database)), dump)
	postgres(t, b.Database, "psql", "--dbname="+string(withoutPassword(t, b.Database)), "--command=ANALYZE")
	require.Equal(t, []string{"true"}, b.lines(t, "SELECT (setval('weir.events_id_seq', nextval('weir.events_id_seq') + 1000000) > $1::bigint)::text", told))
	b.admin(t, "db", "migrate")
	for _, id := range append(running, queued, storing) {
		b.receiver.NewRun(id)
	}
	deaf.SetMode(devstack.Mode{})
	door.open()
	require.NoError(t, b.Daemons[0].Restart(b.ctx))

	again := b.succeeds(t, done.ID, facts)
	require.Equal(t, done.Callback.ID, again.Callback.ID)
	for _, id := range running {
		b.succeeds(t, id, lengthyFacts) // the one that was cancelled, too: the dump had it running
	}
	b.succeeds(t, queued, facts)
	b.ends(t, storing)
	b.ends(t, due)
	callback, err := deaf.WaitAccepted(b.ctx, due)
	require.NoError(t, err)
	require.Equal(t, "error", callback.Status)
	_, err = b.API.Transcode(b.ctx, later)
	var unknown *devstack.StatusError
	require.ErrorAs(t, err, &unknown)
	require.Equal(t, 404, unknown.Status)
	b.admin(t, "db", "check")
}

// replace puts an empty database in the place of the stack's, which is kept beside it.
func (b *testBundle) replace(t *testing.T) {
	t.Helper()
	u, err := url.Parse(string(b.Database))
	require.NoError(t, err)
	name := strings.TrimPrefix(u.Path, "/")
	u.Path = "/postgres"
	server := testBundle{Stack: &devstack.Stack{Database: secret.Secret(u.String())}, ctx: b.ctx}
	server.maintain(t, "ALTER DATABASE "+name+" RENAME TO "+name+"_lost")
	t.Cleanup(func() { server.maintain(t, "DROP DATABASE "+name+"_lost WITH (FORCE)") })
	server.maintain(t, "CREATE DATABASE "+name)
}

// postgres runs one of Postgres's own programs; the password is no argument.
func postgres(t *testing.T, database secret.Secret, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	require.NoError(t, err, "%s comes with Postgres", program)
	u, err := url.Parse(string(database))
	require.NoError(t, err)
	password, _ := u.User.Password()
	if program == "pg_dump" {
		args = append(args, string(withoutPassword(t, database)))
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Env = append(cmd.Environ(), "PGPASSWORD="+password)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", program, bytes.TrimSpace(out))
}

func withoutPassword(t *testing.T, database secret.Secret) secret.Secret {
	t.Helper()
	u, err := url.Parse(string(database))
	require.NoError(t, err)
	u.User = url.User(u.User.Username())
	return secret.Secret(u.String())
}
