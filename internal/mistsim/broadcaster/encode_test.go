package broadcaster_test

import (
	"bytes"
	"math"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/internal/mistsim/broadcaster"
	"weir/internal/mistsim/ts"
)

const frame30 = int64(ts.Clock / 30)

// TestBFrames: by the profile's H.264 profile; what is in the header is what was asked.
func TestBFrames(t *testing.T) {
	t.Parallel()
	data := segment(t, picture("320x180", "30", 60)+h264, 2000)
	short := segment(t, picture("320x180", "30", 2)+h264, 2000)
	const baseline, main, high = 66, 77, 100
	cases := map[string]struct {
		profile any
		idc     byte
		delay   int64
	}{
		"High":            {"H264High", high, 2},
		"Main":            {"H264Main", main, 2},
		"none":            {nil, high, 2},
		"lower case":      {"h264high", high, 2},
		"Baseline":        {"H264Baseline", baseline, 0},
		"ConstrainedHigh": {"H264ConstrainedHigh", high, 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			got := b.one(t, data, object{"profile": c.profile})
			require.Equal(t, c.idc, got.codec.SPS[1])
			require.Len(t, got.frames, 60)
			require.Equal(t, []int{0}, got.keys(), "one keyframe at the start")
			run, longest, newest := 0, 0, int64(0)
			for i, f := range got.frames {
				require.Equal(t, 2000*ts.TicksPerMS+(int64(i)-c.delay)*frame30, f.DTS, "a constant delay")
				require.GreaterOrEqual(t, f.PTS, f.DTS)
				if run++; f.PTS > newest {
					run, newest = 0, f.PTS
				}
				longest = max(longest, run)
			}
			require.Equal(t, 2000*ts.TicksPerMS+59*frame30, newest)
			if c.delay == 0 {
				require.Zero(t, longest, "no B-frames")
			} else {
				require.Equal(t, 3, longest, "up to three of them in a row")
			}
			few := b.one(t, short, object{"profile": c.profile})
			require.Len(t, few.frames, 2)
			for _, f := range few.frames {
				require.Equal(t, f.PTS, f.DTS, "no delay in a segment of two")
			}
		})
	}
}

// TestFirstSegment: a part whose first DTS would be below 0 is late as a whole, and so
// overlaps the next one.
func TestFirstSegment(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	first := b.one(t, segment(t, picture("320x180", "30", 30)+h264, 0), nil)
	require.Equal(t, [2]int64{0, 2 * frame30}, [2]int64{first.frames[0].DTS, first.frames[0].PTS})
	second := b.one(t, segment(t, picture("320x180", "30", 30)+h264, 1000), nil)
	require.Equal(t, [2]int64{28 * frame30, 30 * frame30}, [2]int64{second.frames[0].DTS, second.frames[0].PTS})
	require.Equal(t, 29*frame30, first.frames[29].DTS, "overlaps by two frames")
	still := b.one(t, segment(t, picture("320x180", "30", 30)+h264, 0), object{"profile": "H264Baseline"})
	require.Zero(t, still.frames[0].PTS, "nothing to shift without B-frames")
}

// TestWrap: just before timestamps wrap they start again.
func TestWrap(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	got := b.one(t, segment(t, picture("320x180", "30", 30)+h264, math.Floor((1<<33)/ts.TicksPerMS)-500), nil)
	require.Len(t, got.frames, 30)
	require.Zero(t, got.frames[0].DTS)
}

// TestSound: it is copied packet for packet, and shifted with the picture.
func TestSound(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := ffmpeg(t, picture("320x180", "30", 60)+sine+h264+" -c:a aac")
	sound := func(data []byte) (packets [][]byte, first int64) {
		for d := ts.NewDemuxer(bytes.NewReader(data)); ; {
			f, err := d.Next()
			if err != nil {
				return packets, first
			}
			if f.Codec == ts.AAC {
				if len(packets) == 0 {
					first = f.PTS
				}
				packets = append(packets, f.Data)
			}
		}
	}
	want, was := sound(data)
	part := b.one(t, data, nil)
	got, is := sound(part.body)
	require.NotEmpty(t, want)
	// A PES packet may hold several frames of sound; their bytes are what counts.
	require.Equal(t, bytes.Join(want, nil), bytes.Join(got, nil))
	place := (frames(data)[0].PTS + frame30/2) / frame30 * frame30
	require.Equal(t, was+part.frames[0].PTS-place, is, "late as the picture is")
}

// TestGOP: seconds times fps, and the denominator is forgotten.
func TestGOP(t *testing.T) {
	t.Parallel()
	data := segment(t, picture("160x90", "30", 60)+h264, 1000)
	every := make([]int, 60)
	for i := range every {
		every[i] = i
	}
	cases := map[string]struct {
		profile object
		want    []int
	}{
		"none":               {object{}, []int{0}},
		"0.0":                {object{"gop": "0.0"}, []int{0}},
		"half a second":      {object{"gop": "0.5"}, []int{0, 15, 30, 45}},
		"with a denominator": {object{"gop": "0.5", "fps": 30_000, "fpsDen": 1000}, []int{0}},
		"intra":              {object{"gop": "intra"}, every},
		"own times":          {object{"gop": "0.5", "fps": nil}, []int{0, 15, 30, 45}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			c.profile["profile"] = "H264Baseline"
			got := b.one(t, data, c.profile)
			require.Equal(t, c.want, got.keys())
		})
	}
}

// TestCodecs: what the production build has no decoder for is refused, sound too.
func TestCodecs(t *testing.T) {
	t.Parallel()
	with30 := picture("320x180", "30", 30)
	cases := map[string]struct{ args, reason string }{
		"H.264":        {with30 + h264, ""},
		"B-frames":     {with30 + " -pix_fmt yuv420p -c:v libx264 -preset veryfast -bf 3", ""},
		"10-bit":       {with30 + " -pix_fmt yuv420p10le -c:v libx264 -preset ultrafast", ""},
		"4:2:2":        {with30 + " -pix_fmt yuv422p -c:v libx264 -preset ultrafast", ""},
		"4:4:4":        {with30 + " -pix_fmt yuv444p -c:v libx264 -preset ultrafast", ""},
		"interlaced":   {with30 + " -flags +ildct+ilme" + h264, ""},
		"HEVC":         {with30 + hevc, "TranscoderInvalidVideo"},
		"MPEG-2":       {with30 + mpeg2, "TranscoderInvalidVideo"},
		"MP2 sound":    {with30 + sine + h264 + " -c:a mp2", "Invalid argument"},
		"AC-3 sound":   {with30 + sine + h264 + " -c:a ac3", "Invalid argument"},
		"AAC sound":    {with30 + sine + h264 + " -c:a aac", ""},
		"MP3 sound":    {with30 + sine + h264 + " -c:a libmp3lame", ""},
		"Opus sound":   {with30 + sine + h264 + " -c:a libopus", ""},
		"only sound":   {"-f lavfi -i sine=1000 -t 1 -c:a aac", "TranscoderInvalidVideo"},
		"MPEG-2 + AAC": {with30 + sine + mpeg2 + " -c:a aac", "TranscoderInvalidVideo"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, broadcaster.Config{})
			got := b.post(t, ffmpeg(t, c.args), with(nil))
			if c.reason != "" {
				require.Equal(t, http.StatusUnprocessableEntity, got.status)
				require.Contains(t, string(got.body), `err="`+c.reason+`"`)
				return
			}
			part := got.parts(t)[0]
			require.Len(t, part.frames, 30, "every frame")
			require.EqualValues(t, 100, part.codec.SPS[1], "8 bits, 4:2:0")
		})
	}
}

// TestTranscoderWithGPU takes HEVC.
func TestTranscoderWithGPU(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{HEVC: true})
	got := b.one(t, segment(t, picture("320x180", "30", 30)+hevc, 1000), nil)
	require.Len(t, got.frames, 30)
	require.Equal(t, [2]int{160, 90}, [2]int{got.codec.Width, got.codec.Height})
	mpeg := b.post(t, segment(t, picture("320x180", "30", 30)+mpeg2, 1000), with(nil))
	require.Equal(t, http.StatusUnprocessableEntity, mpeg.status)
}

// TestNoKeyframe: with sound the parts are the source's own bytes. Without sound the
// real one drops the connection.
func TestNoKeyframe(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	// headless takes the packets of the first frame out, which is the only keyframe.
	headless := func(data []byte) (out []byte) {
		starts := 0
		for packet := range slices.Chunk(data, ts.PacketSize) {
			picture := uint16(packet[1]&0x1f)<<8|uint16(packet[2]) == ts.VideoPID
			if picture && packet[1]&0x40 != 0 {
				starts++
			}
			if !picture || starts != 1 {
				out = append(out, packet...)
			}
		}
		return out
	}
	with30 := picture("320x180", "30", 30)
	data := headless(ffmpeg(t, with30+sine+h264+" -c:a aac"))
	got := b.post(t, data, with(nil), with(object{"name": "b"})).parts(t)
	require.Len(t, got, 2)
	for _, p := range got {
		require.Equal(t, data, p.body)
	}
	_, err := b.client.Do(b.request(t, "/live/silent/0.ts", header(t, with(nil)), headless(ffmpeg(t, with30+h264))))
	require.Error(t, err)
}

// TestHalfSegment: what decodes comes back.
func TestHalfSegment(t *testing.T) {
	t.Parallel()
	b := setup(t, broadcaster.Config{})
	data := segment(t, picture("320x180", "30", 30)+h264, 1000)
	half := data[:len(data)/ts.PacketSize/2*ts.PacketSize]
	got := b.one(t, half, nil)
	require.Len(t, got.frames, len(frames(half)))
	require.Less(t, len(got.frames), 30)
}
