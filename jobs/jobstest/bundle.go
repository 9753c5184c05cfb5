// Package jobstest brings transcodes to where a test begins, by rows alone.
package jobstest

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/jobs"
	"weir/secret"
)

// Bundle is a database of its own with all that works on rows alone.
type Bundle struct {
	Pool       *pgxpool.Pool
	River      *river.Client[pgx.Tx]
	Transcodes *jobs.Transcodes
	Callbacks  *jobs.Callbacks
	Sealer     *secret.Sealer
}

// source is what was probed of every transcode here.
const source = `{"container": "mpegts", "duration_us": 20000000, "bytes": 1000}`

// Host has a lease, and room for four.
const Host = "mist-1"

// lease is of the hosts here: nobody renews it, so that it has to outlast the test, however slow
// the machine is.
const lease = time.Hour

// New makes the database.
func New(t *testing.T) *Bundle {
	t.Helper()
	pool := dbtest.New(t)
	client, err := jobs.NewInserter(pool)
	require.NoError(t, err)
	sealer, err := secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	b := &Bundle{Pool: pool, River: client, Sealer: sealer}
	b.Transcodes = &jobs.Transcodes{DB: pool, River: client, Sealer: sealer}
	b.Callbacks = &jobs.Callbacks{DB: pool, River: client}
	b.Boot(t, Host, 4)
	return b
}

// Boot gives a host a lease, as its daemon would.
func (b *Bundle) Boot(t *testing.T, host string, slots int32) uuid.UUID {
	t.Helper()
	boot := uuid.New()
	_, err := dbsqlc.New().HostBoot(t.Context(), b.Pool, dbsqlc.HostBootParams{
		ID: host, BootID: boot, Slots: slots, LeaseSeconds: lease.Seconds(), SpoolRoomBytes: 1,
		MistAnswers: true,
	})
	require.NoError(t, err)
	return boot
}

// Accept accepts a request for renditions of these names.
func (b *Bundle) Accept(t *testing.T, names ...string) dbsqlc.Transcode {
	t.Helper()
	return b.AcceptRequest(t, MakeRequest("", names...))
}

// AcceptRequest accepts a request.
func (b *Bundle) AcceptRequest(t *testing.T, req *jobs.Request) dbsqlc.Transcode {
	t.Helper()
	transcode, created, err := b.Transcodes.Accept(t.Context(), req)
	require.NoError(t, err)
	require.True(t, created)
	return transcode
}

// MakeRequest is a request for renditions of these names; externalID may be empty.
func MakeRequest(externalID string, names ...string) *jobs.Request {
	req := &jobs.Request{
		Tenant: "studio", ExternalID: externalID, Form: jobs.FormV1,
		SourceURL: "s3+http://K:S@127.0.0.1:9/b/in.mp4", SourceShown: "s3+http://127.0.0.1:9/b/in.mp4",
		OutputURL: "s3+http://K:S@127.0.0.1:9/b/out", OutputShown: "s3+http://127.0.0.1:9/b/out",
		CallbackURL: "http://127.0.0.1:9/cb", CallbackShown: "http://127.0.0.1:9/cb",
		Shown: json.RawMessage(`{}`), Body: []byte("body of " + externalID),
	}
	for i, name := range names {
		req.Profiles = append(req.Profiles, jobs.Profile{Name: name, Width: 640, Height: 360 - i, Bitrate: 800_000})
	}
	return req
}

// Place runs the placement's transaction without River around it.
func (b *Bundle) Place(t *testing.T, id uuid.UUID, host string) dbsqlc.Transcode {
	t.Helper()
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		placed, err := b.Decider(tx).Place(ctx, jobs.Placement{Transcode: id, Host: host})
		require.Len(t, placed, 1)
		return err
	})
	return b.Get(t, id)
}

// Run brings an accepted transcode to where all its renditions are pushed.
func (b *Bundle) Run(t *testing.T, names ...string) dbsqlc.Transcode {
	t.Helper()
	return b.RunRequest(t, MakeRequest("", names...))
}

// RunRequest is Run for a request.
func (b *Bundle) RunRequest(t *testing.T, req *jobs.Request) dbsqlc.Transcode {
	t.Helper()
	transcode := b.Place(t, b.AcceptRequest(t, req).ID, Host)
	q := dbsqlc.New()
	_, err := q.TranscodeStart(t.Context(), b.Pool, dbsqlc.TranscodeStartParams{ID: transcode.ID, Attempt: transcode.Attempt})
	require.NoError(t, err)
	duration := int64(20_000)
	_, err = q.TranscodeSetSource(t.Context(), b.Pool, dbsqlc.TranscodeSetSourceParams{
		ID: transcode.ID, Attempt: transcode.Attempt, Source: json.RawMessage(source), SourceDurationMs: &duration, Warnings: json.RawMessage("[]"),
	})
	require.NoError(t, err)
	for _, profile := range req.Profiles {
		require.NoError(t, q.RenditionPlan(t.Context(), b.Pool, dbsqlc.RenditionPlanParams{
			TranscodeID: transcode.ID, Attempt: transcode.Attempt, Names: []string{profile.Name}, Widths: []int32{640}, Heights: []int32{360},
		}))
		_, err := q.RenditionSetPushed(t.Context(), b.Pool, dbsqlc.RenditionSetPushedParams{
			TranscodeID: transcode.ID, Name: profile.Name, Attempt: transcode.Attempt,
		})
		require.NoError(t, err)
	}
	return b.Get(t, transcode.ID)
}

// Store makes a rendition ok and settles, as a store job does at its end.
func (b *Bundle) Store(ctx context.Context, t *dbsqlc.Transcode, name string) error {
	url, etag, checksum, verdict := "s3://b/"+name, "etag", "crc64nvme:x", json.RawMessage(`{"ok":true}`)
	n := int64(600)
	return db.InTx(ctx, b.Pool, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, t.ID); err != nil {
			return err
		}
		if _, err := q.RenditionSetOK(ctx, tx, dbsqlc.RenditionSetOKParams{
			TranscodeID: t.ID, Name: name, Attempt: t.Attempt, ObjectURL: &url, ObjectBytes: &n, ObjectEtag: &etag,
			ObjectChecksum: &checksum, Frames: &n, DurationMs: &n, Verdict: verdict,
		}); err != nil {
			return err
		}
		return b.Decider(tx).Settle(ctx, t.ID, t.Attempt)
	})
}

// Package makes a transcode's outputs ok and settles, as its package job does at its end.
// kept is how many it could.
func (b *Bundle) Package(ctx context.Context, t *dbsqlc.Transcode) (kept int64, err error) {
	err = db.InTx(ctx, b.Pool, func(tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, t.ID); err != nil {
			return err
		}
		outputs, err := q.OutputList(ctx, tx, t.ID)
		if err != nil {
			return err
		}
		kept = 0
		for _, o := range outputs {
			manifest, bytes := "s3://b/out/index.m3u8", int64(700)
			if o.Type == jobs.OutputTS {
				continue
			}
			changed, err := q.OutputSetOK(ctx, tx, dbsqlc.OutputSetOKParams{
				TranscodeID: t.ID, Ordinal: o.Ordinal, Attempt: t.Attempt, ManifestURL: &manifest, Bytes: &bytes,
				Objects: json.RawMessage(`[{"kind": "master", "url": "s3://b/out/index.m3u8", "bytes": 700, "checksum": "c", "objects": 1}]`),
			})
			if err != nil {
				return err
			}
			kept += changed
		}
		return b.Decider(tx).Settle(ctx, t.ID, t.Attempt)
	})
	return kept, err
}

// Decider decides within tx.
func (b *Bundle) Decider(tx pgx.Tx) jobs.Decider { return jobs.Decider{Tx: tx, River: b.River} }

// Fail fails a rendition of an attempt, as its supervisor or its store does.
func (b *Bundle) Fail(t *testing.T, id uuid.UUID, attempt int32, rendition string, f *jobs.Failure) {
	t.Helper()
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		if _, err := dbsqlc.New().TranscodeGetForUpdate(ctx, tx, id); err != nil {
			return err
		}
		return b.Decider(tx).FailRendition(ctx, id, attempt, rendition, f)
	})
}

// Dies ends a host's lease.
func (b *Bundle) Dies(t *testing.T, host string) {
	t.Helper()
	b.Exec(t, "UPDATE weir.hosts SET lease_until = now() - interval '1 s' WHERE id = $1", host)
}

// Tx runs f in a transaction.
func (b *Bundle) Tx(t *testing.T, f func(ctx context.Context, tx pgx.Tx) error) {
	t.Helper()
	require.NoError(t, db.InTx(t.Context(), b.Pool, func(tx pgx.Tx) error { return f(t.Context(), tx) }))
}

// Get reads a transcode.
func (b *Bundle) Get(t *testing.T, id uuid.UUID) dbsqlc.Transcode {
	t.Helper()
	transcode, err := dbsqlc.New().TranscodeGet(t.Context(), b.Pool, id)
	require.NoError(t, err)
	return transcode
}

// Start places a transcode on the test's host, and takes it up.
func (b *Bundle) Start(t *testing.T, id uuid.UUID) dbsqlc.Transcode {
	t.Helper()
	placed := b.Place(t, id, Host)
	_, err := dbsqlc.New().TranscodeStart(t.Context(), b.Pool, dbsqlc.TranscodeStartParams{ID: id, Attempt: placed.Attempt})
	require.NoError(t, err)
	return b.Get(t, id)
}

// Exec executes a statement.
func (b *Bundle) Exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := b.Pool.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

// Count reads a number.
func (b *Bundle) Count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, b.Pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

// Silent is a log that nobody reads.
func Silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
