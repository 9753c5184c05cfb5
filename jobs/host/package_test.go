package host

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertest"
	"github.com/riverqueue/river/rivertype"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/media"
	"weir/storage"
)

// rendition makes a finished file, of two seconds.
func rendition(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.ts")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", strings.Fields("-nostdin -loglevel error -f lavfi -i testsrc2=size=160x90:rate=30:duration=2 "+
		"-f lavfi -i sine=frequency=440:duration=2 -c:v libx264 -preset ultrafast -pix_fmt yuv420p -g 30 -sc_threshold 0 -c:a aac -f mpegts "+path)...).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

// packages is a transcode whose one rendition is stored, through endpoint, by a host that
// has nothing of it any more; its package job is due.
func packages(t *testing.T, b *jobstest.Bundle, h *Host, bucket testBucket, endpoint string, change ...func(*jobs.Request)) dbsqlc.Transcode {
	t.Helper()
	req := jobstest.MakeRequest("", "a")
	req.OutputURL = bucket.at(t, endpoint, "out")
	for _, kind := range []string{jobs.OutputHLS, jobs.OutputMP4} {
		req.Outputs = append(req.Outputs, jobs.Output{Type: kind, URL: req.OutputURL, Shown: "shown", Segment: time.Second})
	}
	for _, change := range change {
		change(req)
	}
	transcode := b.RunRequest(t, req)
	path := rendition(t)
	location, err := h.objectLocation(t.Context(), &transcode, "a", 1)
	require.NoError(t, err)
	object, err := h.Storage.Upload(t.Context(), location, path, storage.UploadOptions{})
	require.NoError(t, err)
	verdict, err := json.Marshal(media.Verdict{OK: true, Width: 160, Height: 90})
	require.NoError(t, err)
	shown, n := location.String(), int64(60)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		q := dbsqlc.New()
		if _, err := q.TranscodeGetForUpdate(ctx, tx, transcode.ID); err != nil {
			return err
		}
		if _, err := q.RenditionSetOK(ctx, tx, dbsqlc.RenditionSetOKParams{
			TranscodeID: transcode.ID, Name: "a", Attempt: 1, ObjectURL: &shown, ObjectBytes: &object.Bytes, ObjectEtag: &object.ETag,
			ObjectChecksum: &object.Checksum, Frames: &n, DurationMs: &n, Verdict: verdict,
		}); err != nil {
			return err
		}
		return b.Decider(tx).Settle(ctx, transcode.ID, 1)
	})
	b.Exec(t, "UPDATE weir.attempts SET transcoded_at = now(), cleaned_at = now(), stage = 'cleaned', process_started_at = now() WHERE transcode_id = $1", transcode.ID)
	return b.Get(t, transcode.ID)
}

// packageOnce works a new package job once, as River does.
func packageOnce(t *testing.T, b *jobstest.Bundle, h *Host, transcode *dbsqlc.Transcode) error {
	t.Helper()
	args := jobs.PackageArgs{TranscodeID: transcode.ID, Attempt: transcode.Attempt}
	job, err := b.River.Insert(t.Context(), args, &river.InsertOpts{Queue: jobs.StoreQueue(h.ID)})
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1 WHERE id = $1", job.Job.ID)
	row, err := b.River.JobGet(t.Context(), job.Job.ID)
	require.NoError(t, err)
	worker := &packageWorker{host: h}
	return worker.Work(rivertest.WorkContext(t.Context(), b.River), &river.Job[jobs.PackageArgs]{JobRow: row, Args: args})
}

// stops does what a package job does up to its commit, as one that is killed there.
func stops(t *testing.T, b *jobstest.Bundle, h *Host, transcode *dbsqlc.Transcode) error {
	t.Helper()
	return stopsWith(t.Context(), b, h, transcode)
}

// stopsWith is stops, or comes no further than ctx does.
func stopsWith(ctx context.Context, b *jobstest.Bundle, h *Host, transcode *dbsqlc.Transcode) error {
	p := &packaging{
		host: h, client: b.River, log: jobstest.Silent(), job: &river.Job[jobs.PackageArgs]{JobRow: &rivertype.JobRow{Attempt: 1, MaxAttempts: 9}},
		name: engine.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)},
	}
	if _, err := p.load(ctx); err != nil {
		return err
	}
	_, err := p.run(ctx)
	return err
}

// A host that is taken for dead between its master and its commit, and comes back before the
// next attempt is placed: nothing of it is kept. Kept outputs would be the next attempt's
// success, and their folders residue, an hour later.
func TestPackageKeptTooLate(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	transcode := packages(t, b, h, bucket, bucket.Endpoint)
	attempt, err := dbsqlc.New().AttemptGet(t.Context(), b.Pool, dbsqlc.AttemptGetParams{TranscodeID: transcode.ID, Number: 1})
	require.NoError(t, err)
	b.Exec(t, "UPDATE weir.river_job SET state = 'running', attempt = 1, attempted_by = ARRAY[$2] WHERE id = $1",
		*attempt.PackageJobID, jobs.ClientID(h.ID, h.BootID))
	job, err := b.River.JobGet(t.Context(), *attempt.PackageJobID)
	require.NoError(t, err)
	p := &packaging{
		host: h, client: b.River, log: jobstest.Silent(), job: &river.Job[jobs.PackageArgs]{JobRow: job},
		name: engine.Name{Transcode: transcode.ID, Attempt: int(transcode.Attempt)},
	}
	_, err = p.load(t.Context())
	require.NoError(t, err)
	made, err := p.run(t.Context())
	require.NoError(t, err)
	b.Dies(t, h.ID)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		taken, err := b.Decider(tx).Lose(ctx, transcode.ID, h.ID)
		require.True(t, taken)
		return err
	})
	require.NoError(t, p.commit(rivertest.WorkContext(t.Context(), b.River), made))
	require.Equal(t, 0, b.Count(t, "SELECT count(*) FROM weir.outputs WHERE transcode_id = $1 AND state <> 'expected'", transcode.ID))

	h.BootID = b.Boot(t, h.ID, 1)
	b.Place(t, transcode.ID, h.ID)
	again := b.Get(t, transcode.ID)
	_, err = dbsqlc.New().TranscodeStart(t.Context(), b.Pool, dbsqlc.TranscodeStartParams{ID: again.ID, Attempt: again.Attempt})
	require.NoError(t, err)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, again.ID, again.Attempt) })
	require.NoError(t, packageOnce(t, b, h, &again))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	residue := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: transcode.ID}}
	residue.CreatedAt = h.clock.now().Add(-residueAgain - readersGrace)
	require.NoError(t, (&residueWorker{host: h}).Work(t.Context(), residue))
	require.Equal(t, "2", bucket.whole(t, bucket.get(t, "out/index.m3u8")), "what its master names is there when readers' time is over")
}

func (b testBucket) get(t *testing.T, key string) string {
	t.Helper()
	object, err := b.Client().GetObject(t.Context(), &s3.GetObjectInput{Bucket: &b.name, Key: &key})
	require.NoError(t, err, key)
	defer object.Body.Close()
	text, err := io.ReadAll(object.Body)
	require.NoError(t, err)
	return string(text)
}

// uris are what a playlist names.
func uris(playlist string) (uris []string) {
	for line := range strings.Lines(playlist) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			uris = append(uris, line)
		}
	}
	return uris
}

// whole reads all that a master names, at whatever depth, and says of which attempt it is.
func (b testBucket) whole(t *testing.T, master string) (attempt string) {
	t.Helper()
	for _, list := range uris(master) {
		segments := uris(b.get(t, "out/"+list))
		require.Len(t, segments, 2)
		for _, segment := range segments {
			require.NotEmpty(t, b.get(t, "out/"+strings.TrimSuffix(list, "index.m3u8")+segment))
		}
		attempt = strings.Split(list, "/")[1]
	}
	return attempt
}

// second takes the transcode from its host, as the reaper does, and gives it to another.
func second(t *testing.T, b *jobstest.Bundle, first *Host, transcode *dbsqlc.Transcode) (*Host, dbsqlc.Transcode) {
	t.Helper()
	b.Dies(t, first.ID)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		taken, err := b.Decider(tx).Lose(ctx, transcode.ID, first.ID)
		require.True(t, taken)
		return err
	})
	other := &Host{
		ID: "mist-2", BootID: b.Boot(t, "mist-2", 1), DB: b.Pool, Storage: first.Storage, Sealer: b.Sealer, Log: first.Log,
		Spool: t.TempDir(), Slots: 1, Stores: 2, Media: &media.Tools{}, finishing: make(chan struct{}, 2),
	}
	placed := b.Place(t, transcode.ID, other.ID)
	_, err := dbsqlc.New().TranscodeStart(t.Context(), b.Pool, dbsqlc.TranscodeStartParams{ID: placed.ID, Attempt: placed.Attempt})
	require.NoError(t, err)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error {
		return b.Decider(tx).Settle(ctx, placed.ID, placed.Attempt)
	})
	return other, b.Get(t, transcode.ID)
}

// A host that dies between the master and its commit: another one packages what is stored,
// the new master takes the old one's place, and the old one plays on for an hour.
func TestPackageElsewhere(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	transcode := packages(t, b, h, bucket, bucket.Endpoint)
	require.NoError(t, stops(t, b, h, &transcode))
	older := bucket.get(t, "out/index.m3u8")
	require.Equal(t, "1", bucket.whole(t, older))
	require.Equal(t, jobs.StateRunning, b.Get(t, transcode.ID).State, "no word of it is in the rows")

	other, again := second(t, b, h, &transcode)
	require.NoError(t, packageOnce(t, b, other, &again))
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateSucceeded, ended.State)
	require.InDelta(t, 1, ended.Ratio, 0)
	newer := bucket.get(t, "out/index.m3u8")
	require.Equal(t, "2", bucket.whole(t, newer))
	require.Equal(t, "1", bucket.whole(t, older), "who has it plays on")

	// The zombie comes back: it writes nothing that has a name of its own.
	b.Boot(t, "mist-3", 1)
	require.ErrorIs(t, stops(t, b, h, &transcode), errFenced)
	require.Equal(t, newer, bucket.get(t, "out/index.m3u8"))

	worker := &residueWorker{host: other}
	job := &river.Job[jobs.ResidueArgs]{JobRow: &rivertype.JobRow{Attempt: 1}, Args: jobs.ResidueArgs{TranscodeID: transcode.ID}}
	job.CreatedAt = other.clock.now()
	var later *river.JobSnoozeError
	require.ErrorAs(t, worker.Work(t.Context(), job), &later)
	require.Equal(t, "1", bucket.whole(t, older))
	work := "out/" + transcode.ID.String() + "/1/a.ts"
	require.NotEmpty(t, bucket.get(t, work), "what the zombie has on its way may have to be written over")
	job.CreatedAt = job.CreatedAt.Add(-residueAgain)
	require.ErrorAs(t, worker.Work(t.Context(), job), &later)
	_, err := bucket.Client().HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &bucket.name, Key: &work})
	require.Error(t, err, "nobody asked for it")
	require.Greater(t, later.Duration, readersGrace-residueAgain-time.Minute)
	job.CreatedAt = job.CreatedAt.Add(-readersGrace)
	require.NoError(t, worker.Work(t.Context(), job))
	require.Equal(t, "2", bucket.whole(t, newer))
	objects, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.name})
	require.NoError(t, err)
	for _, object := range objects.Contents {
		require.NotContains(t, *object.Key, "/1/", "the older attempt's are gone")
	}
}

// A storage that is away is waited for, and shown; what is packaged, and what is stored
// already, is not done twice. After a day it is the end.
func TestPackageWaitsForItsStorage(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	way := newS3(t, bucket)
	h := newHost(t, b, impatient())
	transcode := packages(t, b, h, bucket, way.url)
	stored := map[string]int{}
	mp4 := func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			if strings.HasSuffix(r.URL.Path, ".mp4") {
				w.WriteHeader(http.StatusServiceUnavailable)
				return false
			}
			stored[r.URL.Path]++ // uploads of segments are over when that of a file begins
		}
		return true
	}
	one := make(chan struct{}, 1) // requests come side by side
	meets := func(w http.ResponseWriter, r *http.Request) bool {
		one <- struct{}{}
		defer func() { <-one }()
		return mp4(w, r)
	}
	way.meets.Store(&meets)
	require.Error(t, packageOnce(t, b, h, &transcode))
	require.Len(t, stored, 3, "two segments and their playlist")
	shown := b.Get(t, transcode.ID)
	require.Equal(t, "s3_unavailable", *shown.ErrorCode)
	require.Equal(t, string(jobs.StagePackage), *shown.ErrorStage)
	packed, err := os.Stat(filepath.Join(h.outFolder(engine.Name{Transcode: transcode.ID, Attempt: 1}), packFolder, "packed.json"))
	require.NoError(t, err)

	require.Error(t, packageOnce(t, b, h, &transcode))
	for path, times := range stored {
		require.Equal(t, 1, times, path)
	}
	still, err := os.Stat(filepath.Join(h.outFolder(engine.Name{Transcode: transcode.ID, Attempt: 1}), packFolder, "packed.json"))
	require.NoError(t, err)
	require.Equal(t, packed.ModTime(), still.ModTime())

	b.Exec(t, "UPDATE weir.attempts SET package_from = now() - interval '25 h'")
	require.NoError(t, packageOnce(t, b, h, &transcode))
	ended := b.Get(t, transcode.ID)
	require.Equal(t, jobs.StateFailed, ended.State)
	require.Equal(t, jobs.CodeStoreExpired, *ended.ErrorCode)
	require.Equal(t, string(jobs.StagePackage), *ended.ErrorStage)

	way.back()
	_, err = b.Transcodes.Retry(t.Context(), transcode.ID)
	require.NoError(t, err)
	again := b.Start(t, transcode.ID)
	b.Tx(t, func(ctx context.Context, tx pgx.Tx) error { return b.Decider(tx).Settle(ctx, again.ID, again.Attempt) })
	require.NoError(t, packageOnce(t, b, h, &again))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.Equal(t, "2", bucket.whole(t, bucket.get(t, "out/index.m3u8")))
}

// A stored rendition that is gone, or is another one, is told as that.
func TestPackageOfAGoneRendition(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	for _, content := range []string{"", "other bytes"} {
		transcode := packages(t, b, h, bucket, bucket.Endpoint)
		key := "out/" + transcode.ID.String() + "/1/a.ts"
		_, err := bucket.Client().DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &bucket.name, Key: &key})
		require.NoError(t, err)
		if content != "" {
			bucket.put(t, key, content)
		}
		require.NoError(t, packageOnce(t, b, h, &transcode))
		ended := b.Get(t, transcode.ID)
		require.Equal(t, jobs.StateFailed, ended.State)
		require.Equal(t, jobs.CodeRenditionGone, *ended.ErrorCode)
	}
}

// TestPackageOnlyShort: of a source that is longer than two minutes there is no output that
// is for short ones, and the transcode succeeds without.
func TestPackageOnlyShort(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	const longest = 120_000
	for ms, state := range map[int]string{longest: jobs.OutputOK, longest + 1: jobs.OutputSkipped} {
		transcode := packages(t, b, h, bucket, bucket.Endpoint, func(req *jobs.Request) { req.Outputs[1].OnlyShort = true })
		b.Exec(t, "UPDATE weir.transcodes SET source_duration_ms = $2 WHERE id = $1", transcode.ID, ms)
		require.NoError(t, packageOnce(t, b, h, &transcode))
		require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
		outputs, err := dbsqlc.New().OutputList(t.Context(), b.Pool, transcode.ID)
		require.NoError(t, err)
		require.Equal(t, []string{jobs.OutputOK, state}, []string{outputs[0].State, outputs[1].State}, "%d ms", ms)
		if state == jobs.OutputSkipped {
			require.Contains(t, *outputs[1].SkippedReason, "2m0s")
		}
	}
}

// TestPackageAtTwoPlaces: what is asked for twice is packaged once, and plays at both places.
func TestPackageAtTwoPlaces(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	transcode := packages(t, b, h, bucket, bucket.Endpoint, func(req *jobs.Request) {
		req.Outputs[1] = req.Outputs[0]
		req.Outputs[1].URL, req.Outputs[1].Shown = bucket.at(t, bucket.Endpoint, "elsewhere"), "elsewhere"
	})
	require.NoError(t, packageOnce(t, b, h, &transcode))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	master := bucket.get(t, "out/index.m3u8")
	require.Equal(t, "1", bucket.whole(t, master))
	require.Equal(t, master, bucket.get(t, "elsewhere/index.m3u8"))
	for _, list := range uris(master) {
		require.Equal(t, bucket.get(t, "out/"+list), bucket.get(t, "elsewhere/"+list))
	}
}

// TestPackageSourceAgain: a host that has nothing of the source fetches it for its copy, and
// takes no other one for it.
func TestPackageSourceAgain(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	bucket.put(t, "in/1.mp4", "the source")
	copied := func(req *jobs.Request) {
		req.SourceURL = bucket.at(t, bucket.Endpoint, "in/1.mp4")
		req.Outputs = append(req.Outputs, jobs.Output{Type: jobs.OutputSource, URL: bucket.at(t, bucket.Endpoint, "copy"), Shown: "shown"})
	}
	transcode := packages(t, b, h, bucket, bucket.Endpoint, copied)
	require.NoError(t, packageOnce(t, b, h, &transcode))
	require.Equal(t, jobs.StateSucceeded, b.Get(t, transcode.ID).State)
	require.Equal(t, "the source", bucket.get(t, "copy"))

	changed := packages(t, b, h, bucket, bucket.Endpoint, copied)
	b.Exec(t, "UPDATE weir.attempts SET source_identity = 'of another' WHERE transcode_id = $1", changed.ID)
	require.NoError(t, packageOnce(t, b, h, &changed))
	require.Equal(t, string(storage.CodeSourceChanged), *b.Get(t, changed.ID).ErrorCode)
}

// A package whose job is lost gets another one, as any work does.
func TestReconcilePackage(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	h := newHost(t, b, &storage.Config{})
	transcode := packages(t, b, h, bucket, bucket.Endpoint)
	b.Exec(t, "DELETE FROM weir.river_job WHERE kind = 'package'")
	require.NoError(t, h.reconcileJobs(t.Context(), b.River))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job j JOIN weir.attempts a ON a.package_job_id = j.id WHERE a.transcode_id = $1 AND j.state = 'available'", transcode.ID))
	require.NoError(t, h.reconcileJobs(t.Context(), b.River))
	require.Equal(t, 1, b.Count(t, "SELECT count(*) FROM weir.river_job WHERE kind = 'package'"))
}
