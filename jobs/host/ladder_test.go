package host

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/jobstest"
	"weir/media"
	"weir/storage"
)

// TestLadderOfAnAttempt: the first attempt makes the ladder of its source, the next one keeps
// it while the source is the same, and makes another of another, whose objects go.
func TestLadderOfAnAttempt(t *testing.T) {
	t.Parallel()
	b, bucket := jobstest.New(t), newBucket(t)
	req := jobstest.MakeRequest("")
	req.OutputURL = bucket.at(t, bucket.Endpoint, "out")
	h := newHost(t, b, &storage.Config{})
	h.Engine = &stubEngine{silent: true}
	transcode := b.Place(t, b.AcceptRequest(t, req).ID, jobstest.Host)
	s := takeUp(t, b, h, transcode.ID)
	small := media.Source{Video: media.Video{Width: 640, Height: 360, BitRate: 500_000}}
	large := media.Source{Video: media.Video{Width: 1920, Height: 1080, BitRate: 9_000_000}}

	rows, err := s.load(t.Context())
	require.NoError(t, err)
	look, err := h.look(t.Context())
	require.NoError(t, err)
	require.Contains(t, look.attempts, s.name, "it has no renditions yet, and is this host's all the same")
	renditions, made := s.renditionsOf(&rows, &small)
	require.Len(t, made, 2)
	require.Equal(t, []string{"low-bitrate", "360p0"}, []string{renditions[0].Name, renditions[1].Name})
	require.NoError(t, s.decider(nil).SetLadder(t.Context(), transcode.ID, 1, nil), "nothing to do")
	tx, err := b.Pool.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.decider(tx).SetLadder(t.Context(), transcode.ID, 1, made))
	require.NoError(t, tx.Commit(t.Context()))

	rows, err = s.load(t.Context())
	require.NoError(t, err)
	require.Len(t, rows.Renditions, 2)
	kept, made := s.renditionsOf(&rows, &small)
	require.Empty(t, made)
	require.Equal(t, rows.Renditions, kept)
	other, made := s.renditionsOf(&rows, &large)
	require.Len(t, other, 3)
	require.Len(t, made, 3)
	rows.Renditions[1].State = jobs.RenditionOK
	_, made = s.renditionsOf(&rows, &large)
	require.Empty(t, made, "what is stored is of this source")

	for _, key := range []string{"/1/low-bitrate.ts", "/1/360p0.ts", "/2/360p0.ts"} {
		bucket.put(t, "out/"+transcode.ID.String()+key, "x")
	}
	second := &supervisor{host: h, client: b.River, name: s.name, log: jobstest.Silent()}
	second.name.Attempt = 2
	rows.Renditions[1] = dbsqlc.Rendition{TranscodeID: transcode.ID, Name: "360p0", Attempt: 2, State: jobs.RenditionExpected}
	rows.Renditions[0].Attempt = 2
	second.removeOtherLadder(t.Context(), &rows)
	objects, err := bucket.Client().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket.name})
	require.NoError(t, err)
	require.Len(t, objects.Contents, 1)
	require.Equal(t, "out/"+transcode.ID.String()+"/2/360p0.ts", *objects.Contents[0].Key)
}

// TestJudgedBitRate: a ladder's bits are our guess, a request's its wish.
func TestJudgedBitRate(t *testing.T) {
	t.Parallel()
	width, height := int32(1920), int32(1080)
	low := &dbsqlc.Rendition{Bitrate: 30_000, PlannedWidth: &width, PlannedHeight: &height}
	require.EqualValues(t, 30_000, judgedBitRate(&dbsqlc.Transcode{}, low))
	require.EqualValues(t, 622_080, judgedBitRate(&dbsqlc.Transcode{Ladder: true}, low))
	low.Bitrate = 4_000_000
	require.EqualValues(t, 4_000_000, judgedBitRate(&dbsqlc.Transcode{Ladder: true}, low))
}
