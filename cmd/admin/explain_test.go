package main

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/jobs/explain"
	"weir/jobs/fleet"
)

// Every command that an explanation names is one, with its flags.
func TestExplainNamesCommands(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	ids := []uuid.UUID{id, b.accept(t, "studio", "two")}
	for _, change := range []func(){
		func() {},
		func() { b.ok(t, "queue", "pause", "--reason", "r") },
		func() { b.ok(t, "tenants", "pause", "studio", "--reason", "r") },
		func() {
			b.ok(t, "tenants", "set", "studio", "--running-most", "1", "--hosts", "elsewhere")
			b.fail(t, id)
			b.ok(t, "hosts", "drain", "mist-1", "--reason", "r")
		},
	} {
		change()
		for _, id := range ids {
			require.Contains(t, b.ok(t, "transcodes", "explain", id.String()), id.String())
			var e explain.Explanation
			b.decode(t, &e, "transcodes", "explain", id.String())
			require.NotEmpty(t, e.Says)
			for _, action := range e.Actions {
				if action.Command == "" {
					continue
				}
				words := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(action.Command, "weir-admin "), "''", "x"))
				c, rest, err := (&admin{out: io.Discard}).root().Find(words)
				require.NoError(t, err, action.Command)
				require.False(t, c.HasSubCommands(), action.Command)
				require.NoError(t, c.ParseFlags(rest), action.Command)
				require.NoError(t, c.ValidateArgs(c.Flags().Args()), action.Command)
			}
		}
	}
	r := b.run(t, "transcodes", "explain", uuid.NewString())
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "no such transcode")
}

func TestTimeline(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	b.fail(t, id)
	var shown timelineShown
	b.decode(t, &shown, "transcodes", "timeline", id.String())
	what := map[string]bool{}
	for _, span := range shown.Spans {
		what[span.What] = true
	}
	require.Subset(t, keys(what), []string{"queue", "take up", "upload", "clean"})
	require.Contains(t, b.ok(t, "transcodes", "timeline", id.String()), "push_failed")
}

func keys(m map[string]bool) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	return names
}

// Watching ends with the transcode, and tells scripts how.
func TestWatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	reader, writer := io.Pipe()
	code := make(chan int)
	go func() {
		code <- run(t.Context(), []string{"transcodes", "watch", id.String(), "--every", "200ms"}, strings.NewReader(""), writer, io.Discard, []string{databaseEnv + "=" + b.url})
		writer.Close()
	}()
	first := make([]byte, 4096)
	n, err := reader.Read(first)
	require.NoError(t, err)
	require.Contains(t, string(first[:n]), "queued 0%, queue: 0 of 0 hosts")
	b.fail(t, id)
	rest := make(chan string)
	go func() {
		text, _ := io.ReadAll(reader)
		rest <- string(text)
	}()
	require.Equal(t, exitFailed, <-code)
	require.Contains(t, <-rest, "failed 50%, attempt 1 on mist-1: push_failed at push")

	r := b.run(t, "transcodes", "watch", id.String(), "--json")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "it did not succeed: failed")
	require.Equal(t, 1, strings.Count(r.stdout, "\n"))
	require.Contains(t, b.run(t, "transcodes", "watch", id.String(), "--every", "1ms").stderr, "--every is 1ms")
	require.Equal(t, exitFailed, b.run(t, "transcodes", "watch", uuid.NewString()).code)

	// Whoever stops it is told that, and not what broke off.
	ctx, stop := context.WithCancel(t.Context())
	open, seen := b.accept(t, "studio", "two").String(), &stopping{stop, 1}
	var said bytes.Buffer
	require.Equal(t, exitFailed, run(ctx, []string{"transcodes", "watch", open}, strings.NewReader(""), seen, &said, []string{databaseEnv + "=" + b.url}))
	require.Equal(t, "weir-admin: stopped before its end: context canceled\n", said.String())
}

// stopping stops what writes to it once it has written so often.
type stopping struct {
	stop context.CancelFunc
	left int
}

func (s *stopping) Write(text []byte) (int, error) {
	if s.left--; s.left == 0 {
		s.stop()
	}
	return len(text), nil
}

// Events come once each and in order, and can be gone on from.
func TestEventsTail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := b.accept(t, "studio", "one"), b.accept(t, "other", "two")
	b.fail(t, one)
	lines := strings.Split(strings.TrimSpace(b.ok(t, "events", "tail", "--once", "--after", "0")), "\n")
	require.Greater(t, len(lines), 4)
	require.Contains(t, lines[0], one.String())
	require.Contains(t, lines[len(lines)-1], "transcode.failed")
	id := strings.Fields(lines[1])[0]
	require.Equal(t, lines[2:], strings.Split(strings.TrimSpace(b.ok(t, "events", "tail", "--once", "--after", id)), "\n"))
	require.Empty(t, b.ok(t, "events", "tail", "--once"))
	require.Contains(t, b.ok(t, "events", "tail", "--once", "--after", "0", "--tenant", "other"), two.String())
	require.NotContains(t, b.ok(t, "events", "tail", "--once", "--after", "0", "--transcode", two.String()), one.String())

	// What comes while it follows.
	reader, writer := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		ended <- run(ctx, []string{"events", "tail", "--every", "200ms", "--json", "--after", id, "--tenant", "third"}, strings.NewReader(""), writer, io.Discard, []string{databaseEnv + "=" + b.url})
		writer.Close()
	}()
	third := b.accept(t, "third", "three")
	first := make([]byte, 4096)
	n, err := reader.Read(first)
	require.NoError(t, err)
	require.Contains(t, string(first[:n]), third.String())
	stop()
	go func() { _, _ = io.Copy(io.Discard, reader) }()
	require.Equal(t, exitOK, <-ended)

	b.exec(t, "DELETE FROM weir.events WHERE id <= $1::bigint + 1", id)
	r := b.run(t, "events", "tail", "--once", "--after", "1")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "not kept any more")
	require.Contains(t, b.run(t, "events", "tail", "--after", "-5").stderr, "--after is -5")
	r = b.run(t, "events", "tail", "--once", "--after", "1000000")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "--after is 1000000, and the newest event is ")
}

func TestForgetAndReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.accept(t, "studio", "one")
	b.fail(t, id)
	r := b.run(t, "hosts", "forget", "mist-1", "--reason", "burnt")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.stderr, "its lease runs")
	require.Equal(t, exitUsage, b.run(t, "hosts", "forget", "mist-1").code)
	b.exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 minute'")
	var done hostForgotten
	b.decode(t, &done, "hosts", "forget", "mist-1", "--reason", "burnt", "--dry-run")
	require.Equal(t, hostForgotten{"mist-1", 1, true}, done)
	require.Contains(t, b.ok(t, "hosts", "list"), "mist-1")
	require.Contains(t, b.ok(t, "hosts", "show", "mist-1"), "lost")
	b.decode(t, &done, "hosts", "forget", "mist-1", "--reason", "burnt")
	require.Equal(t, hostForgotten{"mist-1", 1, false}, done)
	require.NotContains(t, b.ok(t, "hosts", "list"), "mist-1")
	require.Contains(t, b.run(t, "hosts", "show", "mist-1").stderr, "no such host")
	var reason string
	require.NoError(t, b.pool.QueryRow(t.Context(), "SELECT reason FROM weir.admin_actions WHERE what = 'hosts forget' AND target = 'mist-1'").Scan(&reason))
	require.Equal(t, "burnt", reason)

	require.Contains(t, b.ok(t, "triggers", "show", "1"), "X-Version")
	for args, says := range map[string]string{"1": "PUSH_END changes no row", "99": "no such trigger", "x": "is no trigger's number"} {
		r := b.run(t, "triggers", "replay", args, "--reason", "r")
		require.NotEqual(t, exitOK, r.code)
		require.Contains(t, r.stderr, says)
	}
	require.Contains(t, b.run(t, "triggers", "list", "--verdict", "nope").stderr, "--verdict is \"nope\": give one of applied")
	require.Contains(t, b.run(t, "callbacks", "list", "--state", "nope").stderr, "--state is \"nope\"")
}

func TestTop(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.fail(t, b.accept(t, "studio", "one"))
	b.accept(t, "studio", "two")
	var o fleet.Overview
	b.decode(t, &o, "top", "--once")
	require.Equal(t, "push_failed", o.Failures[0].Code)
	require.EqualValues(t, 1, o.Failures[0].Failed)
	require.Equal(t, "mist-1", o.Hosts[0].ID)
	require.EqualValues(t, 1, o.Tenants[0].Queued)
	b.exec(t, "UPDATE weir.hosts SET spool_room_bytes = 1500000000")
	text := b.ok(t, "top", "--once")
	require.Equal(t, "1 daemon leads", leading(1))
	for _, says := range []string{"0 of 4 slots used, 1 wait, 0 daemons lead; callbacks: none pending\n", "1.5 GB", "push_failed", "studio"} {
		require.Contains(t, text, says)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	seen := &stopping{stop, 2}
	require.Equal(t, exitOK, run(ctx, []string{"top", "--json"}, strings.NewReader(""), seen, io.Discard, []string{databaseEnv + "=" + b.url}), "it is stopped, and has no other end")
}
