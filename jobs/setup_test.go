package jobs

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/db/dbtest"
	"weir/media"
	"weir/secret"
)

// testBundle is a database of its own with all that works on rows alone.
type testBundle struct {
	pool       *pgxpool.Pool
	client     *river.Client[pgx.Tx]
	transcodes *Transcodes
	callbacks  *Callbacks
	sealer     *secret.Sealer
}

const testHost = "mist-1"

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func setup(t *testing.T) *testBundle {
	t.Helper()
	pool := dbtest.New(t)
	client, err := NewInserter(pool)
	require.NoError(t, err)
	sealer, err := secret.NewSealer(secret.Key(bytes.Repeat([]byte{7}, 32)))
	require.NoError(t, err)
	b := &testBundle{pool: pool, client: client, sealer: sealer}
	b.transcodes = &Transcodes{DB: pool, River: client, Sealer: sealer}
	b.callbacks = &Callbacks{DB: pool, River: client}
	b.boot(t, testHost, 4)
	return b
}

// boot gives a host a lease, as its daemon would.
func (b *testBundle) boot(t *testing.T, host string, slots int32) uuid.UUID {
	t.Helper()
	boot := uuid.New()
	_, err := dbsqlc.New().HostBoot(t.Context(), b.pool, dbsqlc.HostBootParams{
		ID: host, BootID: boot, Slots: slots, LeaseSeconds: leaseLength.Seconds(), SpoolRoomBytes: 1,
	})
	require.NoError(t, err)
	return boot
}

func (b *testBundle) accept(t *testing.T, names ...string) dbsqlc.Transcode {
	t.Helper()
	return b.acceptRequest(t, request("", names...))
}

func (b *testBundle) acceptRequest(t *testing.T, req *Request) dbsqlc.Transcode {
	t.Helper()
	transcode, created, err := b.transcodes.Accept(t.Context(), req)
	require.NoError(t, err)
	require.True(t, created)
	return transcode
}

func request(externalID string, names ...string) *Request {
	req := &Request{
		Tenant: "studio", ExternalID: externalID, Form: FormV1,
		SourceURL: "s3+http://K:S@127.0.0.1:9/b/in.mp4", SourceShown: "s3+http://127.0.0.1:9/b/in.mp4",
		OutputURL: "s3+http://K:S@127.0.0.1:9/b/out", OutputShown: "s3+http://127.0.0.1:9/b/out",
		CallbackURL: "http://127.0.0.1:9/cb", CallbackShown: "http://127.0.0.1:9/cb",
		Shown: json.RawMessage(`{}`), Body: []byte("body of " + externalID),
	}
	for i, name := range names {
		req.Profiles = append(req.Profiles, Profile{Name: name, Width: 640, Height: 360 - i, Bitrate: 800_000})
	}
	return req
}

// place runs the placement's transaction without River around it.
func (b *testBundle) place(t *testing.T, id uuid.UUID, host string) dbsqlc.Transcode {
	t.Helper()
	b.tx(t, func(ctx context.Context, tx pgx.Tx) error {
		return place(ctx, tx, b.client, placement{dbsqlc.Transcode{ID: id}, host})
	})
	return b.get(t, id)
}

// run brings an accepted transcode to where all its renditions are pushed.
func (b *testBundle) run(t *testing.T, names ...string) dbsqlc.Transcode {
	t.Helper()
	return b.runRequest(t, request("", names...))
}

func (b *testBundle) runRequest(t *testing.T, req *Request) dbsqlc.Transcode {
	t.Helper()
	transcode := b.place(t, b.acceptRequest(t, req).ID, testHost)
	q := dbsqlc.New()
	_, err := q.TranscodeStart(t.Context(), b.pool, dbsqlc.TranscodeStartParams{ID: transcode.ID, Attempt: transcode.Attempt})
	require.NoError(t, err)
	source, err := json.Marshal(media.Source{Container: "mpegts", DurationUS: 20_000_000, Bytes: 1000})
	require.NoError(t, err)
	duration := int64(20_000)
	_, err = q.TranscodeSetSource(t.Context(), b.pool, dbsqlc.TranscodeSetSourceParams{
		ID: transcode.ID, Attempt: transcode.Attempt, Source: source, SourceDurationMs: &duration,
	})
	require.NoError(t, err)
	renditions, err := q.RenditionList(t.Context(), b.pool, transcode.ID)
	require.NoError(t, err)
	b.tx(t, func(ctx context.Context, tx pgx.Tx) error {
		return planSizes(ctx, tx, transcode.Attempt, renditions, &media.Prepared{Width: 1280, Height: 720})
	})
	for _, profile := range req.Profiles {
		_, err := q.RenditionSetPushed(t.Context(), b.pool, dbsqlc.RenditionSetPushedParams{
			TranscodeID: transcode.ID, Name: profile.Name, Attempt: transcode.Attempt,
		})
		require.NoError(t, err)
	}
	return b.get(t, transcode.ID)
}

// store makes a rendition ok and settles, as a store job does at its end.
func (b *testBundle) store(ctx context.Context, t *dbsqlc.Transcode, name string) error {
	url, etag, checksum, verdict := "s3://b/"+name, "etag", "crc64nvme:x", json.RawMessage(`{"ok":true}`)
	n := int64(600)
	return db.InTx(ctx, b.pool, func(tx pgx.Tx) error {
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
		return settle(ctx, tx, b.client, t.ID, t.Attempt)
	})
}

func (b *testBundle) tx(t *testing.T, f func(ctx context.Context, tx pgx.Tx) error) {
	t.Helper()
	require.NoError(t, db.InTx(t.Context(), b.pool, func(tx pgx.Tx) error { return f(t.Context(), tx) }))
}

func (b *testBundle) get(t *testing.T, id uuid.UUID) dbsqlc.Transcode {
	t.Helper()
	transcode, err := dbsqlc.New().TranscodeGet(t.Context(), b.pool, id)
	require.NoError(t, err)
	return transcode
}

// start places a transcode on the test's host, and takes it up.
func (b *testBundle) start(t *testing.T, id uuid.UUID) dbsqlc.Transcode {
	t.Helper()
	placed := b.place(t, id, testHost)
	_, err := dbsqlc.New().TranscodeStart(t.Context(), b.pool, dbsqlc.TranscodeStartParams{ID: id, Attempt: placed.Attempt})
	require.NoError(t, err)
	return b.get(t, id)
}

func (b *testBundle) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := b.pool.Exec(t.Context(), query, args...)
	require.NoError(t, err)
}

func (b *testBundle) count(t *testing.T, query string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, b.pool.QueryRow(t.Context(), query, args...).Scan(&n))
	return n
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }
