package mistsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"weir/internal/mistsim/shm"
	"weir/internal/mistsim/ts"
)

// sink is a live stream and its buffer: the stand-in for a MistInBuffer. It
// exists while a process is attached to it.
type sink struct {
	name     string
	uuid     string
	pid      int // of the process that feeds it
	tracks   []*track
	shown    string        // the track set of the last LIVE_TRACK_LIST
	changed  chan struct{} // closed and replaced at every change
	detached bool
	killed   bool
	endAt    time.Time
	lingers  bool   // its process is gone, its tracks are kept
	gone     string // why it is gone, for its pushes; empty while it lives
	sent     int64  // bytes written by pushes
	pushed   int    // pushes that ever ran
	readers  int    // pushes that read its tracks
}

// Reasons for a buffer's end, as its pushes tell them.
const (
	goneEnd    = "end of stream"
	goneKilled = "Live stream source shut down"
	goneNuked  = "nuked"
)

// track is one rendition in a buffer. Its packets lie in an unlinked file.
type track struct {
	idx, trackID int
	pid          int // of the process that feeds it
	late         bool
	codec        string
	valid        bool
	header       ts.Header
	headed       bool
	mux          *ts.Muxer
	file         *os.File
	size         int64
	frames       []buffered
	media        int64 // payload bytes, for the bitrate
	keyMedia     int64 // media before the newest keyframe
}

// buffered is one frame in a track's file.
type buffered struct {
	ms     int64
	off    int64
	length int
	key    bool
}

func (k *track) firstMS() int64 { return k.frames[0].ms }
func (k *track) lastMS() int64  { return k.frames[len(k.frames)-1].ms }

func (b *sink) signal() {
	close(b.changed)
	b.changed = make(chan struct{})
}

func (b *sink) online() bool { return b.gone == "" && len(b.tracks) > 0 }

// status is what active_streams says of a stream with tracks.
func (b *sink) status() string {
	if b.lingers {
		return "Waiting for data"
	}
	return "Online"
}

// Modes of a live stream's resume option (src/input/input_buffer.cpp): what its
// buffer does with the tracks of a process that is gone.
const (
	// wipes drops them at its next pass, read or not.
	wipes = 0
	// resumes keeps them until nobody has used the stream for a while, and lets the
	// next process go on. With any higher number Livepeer keeps them too, but starts
	// afresh with the next process; for Upstream all numbers are the same.
	resumes = 1
)

// resumeMode reads the option from the stream's configuration as it is now. The
// caller holds mu.
func (s *Server) resumeMode(stream string) int {
	o, _ := s.streamConfig(stream)
	mode, _ := number(o["resume"])
	if on, _ := o["resume"].(bool); on || mode != wipes && s.upstream() {
		return resumes
	}
	return mode
}

// resumes says whether the next process goes on with a stream's tracks.
func (s *Server) resumes(stream string) bool { return s.resumeMode(stream) == resumes }

func (b *sink) lastMS() (ms int64) {
	for _, k := range b.tracks {
		if len(k.frames) > 0 {
			ms = max(ms, k.lastMS())
		}
	}
	return ms
}

// closeUnused frees the tracks of a buffer that is gone and unread.
func (b *sink) closeUnused() {
	if b.gone == "" || b.readers > 0 {
		return
	}
	for _, k := range b.tracks {
		_ = k.file.Close()
	}
}

// ingest takes the renditions of a segment into the sink's tracks. The first
// packet of each is set to the segment's time, as MistProcLivepeer does.
func (s *Server) ingest(in *shm.Ingest) (*shm.Ingested, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.sinks[in.Sink]
	if b == nil || b.pid != in.PID || b.detached || b.gone != "" {
		return nil, fmt.Errorf("ingest into %s: process %d is not attached to it", in.Sink, in.PID)
	}
	for _, part := range in.Parts {
		if err := s.ingestPart(b, in.TimeMS, part); err != nil {
			return nil, fmt.Errorf("ingest %s into %s: %w", part.Name, in.Sink, err)
		}
	}
	out := &shm.Ingested{SinkMS: b.lastMS()}
	for _, k := range b.tracks {
		out.Tracks = append(out.Tracks, k.idx)
		out.TrackIDs = append(out.TrackIDs, k.trackID)
	}
	b.signal()
	return out, nil
}

func (s *Server) ingestPart(b *sink, timeMS int64, part shm.Part) error {
	offset, based := int64(0), false
	for d := ts.NewDemuxer(bytes.NewReader(part.Data)); ; {
		frame, err := d.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if !based {
			offset, based = timeMS-frame.MS(), true
		}
		if !ts.IsVideo(frame.Codec) {
			continue // returned audio is masked: no push can ever select it
		}
		const ordinalShift = 16
		k, err := s.trackOf(b, part.Ordinal<<ordinalShift|int(frame.PID), frame.Codec)
		if err != nil {
			return err
		}
		if err := k.append(frame, offset); err != nil {
			return err
		}
	}
}

func (s *Server) trackOf(b *sink, trackID int, codec string) (*track, error) {
	for _, k := range b.tracks {
		if k.trackID == trackID && k.pid == b.pid {
			return k, nil
		}
	}
	f, err := os.CreateTemp(s.cfg.Dir, "buffer-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil { // so that nothing stays behind, whatever happens
		return nil, err
	}
	k := &track{idx: len(b.tracks), trackID: trackID, pid: b.pid, codec: codec, valid: true, mux: ts.NewMuxer(codec), file: f}
	b.tracks = append(b.tracks, k)
	return k, nil
}

// append takes a frame, unless it is older than the track's last: that one is
// dropped without a word, be it a keyframe or not (src/io.cpp). Frames are kept
// from the first keyframe on.
func (k *track) append(f *ts.Frame, offset int64) error {
	ms := f.MS() + offset
	if ms < 0 { // times are unsigned: it is later than all others, and ends the track
		k.late = true
	}
	if k.late || len(k.frames) == 0 && !f.Key || len(k.frames) > 0 && ms < k.lastMS() {
		return nil
	}
	packets := k.mux.Append(nil, &ts.Frame{
		DTS: ms * ts.TicksPerMS, PTS: (ms + f.OffsetMS()) * ts.TicksPerMS, Key: f.Key, Data: f.Data,
	})
	if _, err := k.file.WriteAt(packets, k.size); err != nil {
		return err
	}
	if f.Key {
		k.keyMedia = k.media
	}
	k.media += int64(len(f.Data))
	k.frames = append(k.frames, buffered{ms: ms, off: k.size, length: len(packets), key: f.Key})
	k.size += int64(len(packets))
	if f.Key {
		k.update(f)
	}
	return nil
}

// update reads a keyframe's header. The first one makes the track; later ones
// change the size and rate of H.264, of nothing else.
func (k *track) update(f *ts.Frame) {
	h, ok := ts.ParseHeader(f.Codec, f.Data)
	switch {
	case !ok:
	case !k.headed:
		k.header, k.headed = h, true
	case f.Codec == ts.H264:
		h.SPS, h.PPS = k.header.SPS, k.header.PPS
		k.header = h
	}
}

// bps is in bytes a second, over complete GOPs: 0 before the second keyframe.
func (k *track) bps() int64 {
	for i := len(k.frames) - 1; i > 0; i-- {
		if k.frames[i].key {
			if ms := k.frames[i].ms - k.firstMS(); ms > 0 {
				return k.keyMedia * 1000 / ms
			}
			return 0
		}
	}
	return 0
}

// Jitter as recorded: a constant of the tree for transcoded tracks.
const (
	lpJitter = 200
	upJitter = 60
)

// describe is the track's entry in LIVE_TRACK_LIST.
func (k *track) describe(upstream bool) (key string, entry object) {
	fpks := k.header.FPKS
	fps := float64(fpks) / 1000
	key = fmt.Sprintf("video_%s_%dx%d_%gfps_%d", k.codec, k.header.Width, k.header.DisplayHeight(), fps, k.idx)
	entry = object{
		"bps": k.bps(), "codec": k.codec, "firstms": k.firstMS(), "fpks": fpks,
		"height": k.header.DisplayHeight(), "idx": k.idx, "init": binary(k.header.Init()), "jitter": lpJitter,
		"lastms": k.lastMS(), "maxbps": k.bps(), "trackid": k.trackID, "type": "video", "width": k.header.Width,
	}
	if k.codec == ts.H264 && len(k.header.SPS) >= 4 {
		entry["codecstring"] = fmt.Sprintf("avc1.%02x%02x%02x", k.header.SPS[1], k.header.SPS[2], k.header.SPS[3])
	}
	if upstream {
		entry["efpks"], entry["efps"], entry["fps"] = 0, 0, fps
		entry["jitter"], entry["nowms"] = upJitter, k.lastMS()
		if len(k.header.SPS) >= 4 {
			entry["h264_profile"] = profileName(k.header.SPS[1], k.header.SPS[2])
			entry["h264_level"] = fmt.Sprintf("%g", float64(k.header.SPS[3])/10)
		}
	}
	return key, entry
}

func profileName(profile, constraints byte) string {
	switch profile {
	case 66:
		if constraints&0x40 != 0 {
			return "Constrained baseline"
		}
		return "Baseline"
	case 77:
		return "Main"
	case 100:
		return "High"
	}
	return "Unknown"
}

// binary is a string that Mist shows byte by byte: printable ASCII as it is,
// all else as \u00XX.
type binary []byte

// MarshalJSON writes Mist's form.
func (b binary) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c >= ' ' && c <= '~':
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, `\u%04X`, c)
		}
	}
	out.WriteByte('"')
	return out.Bytes(), nil
}

// trackList is the body of LIVE_TRACK_LIST; without tracks "null", on Upstream
// an empty line.
func (s *Server) trackList(b *sink, tracks []*track) string {
	if len(tracks) == 0 {
		if s.upstream() {
			return b.name + "\n\n"
		}
		return b.name + "\nnull\n"
	}
	list := object{}
	for _, k := range tracks {
		key, entry := k.describe(s.upstream())
		list[key] = entry
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(list); err != nil {
		s.log.Error("encode track list", "stream", b.name, "error", err)
	}
	return b.name + "\n" + body.String()
}

// bufferPass is what a MistInBuffer does every 250 ms: it compares the set of
// valid tracks with the last pass, and ends when its process is gone.
func (s *Server) bufferPass(now time.Time) {
	var events []event
	s.mu.Lock()
	for _, name := range slices.Sorted(maps.Keys(s.sinks)) {
		b := s.sinks[name]
		if !b.detached && errors.Is(syscall.Kill(b.pid, 0), syscall.ESRCH) {
			s.detachSink(b, true) // a buffer looks for its source by its PID
		}
		if b.lingers {
			switch {
			case b.readers > 0:
				b.endAt = now // it is in use
			case now.Sub(b.endAt) > s.cfg.Timing.InputTimeout:
				s.endSink(b, goneEnd) // and nobody is told of its tracks
			}
			continue
		}
		if b.detached {
			if now.Before(b.endAt) {
				continue
			}
			had := b.shown != ""
			reason := goneEnd
			if b.killed && s.upstream() {
				reason = goneKilled
			}
			s.endSink(b, reason)
			if had && reason != goneKilled {
				events = append(events, s.listEvent(b, nil))
			}
			continue
		}
		var set []string
		var valid []*track
		for _, k := range b.tracks {
			if k.valid && k.headed {
				set = append(set, fmt.Sprint(k.idx))
				valid = append(valid, k)
			}
		}
		if joined := strings.Join(set, ","); joined != b.shown {
			b.shown = joined
			events = append(events, s.listEvent(b, valid))
		}
	}
	s.mu.Unlock()
	for _, e := range events {
		s.fire(e)
	}
}

func (s *Server) listEvent(b *sink, tracks []*track) event {
	return event{name: liveTrackList, stream: b.name, pid: os.Getpid(), streamUUID: b.uuid, body: s.trackList(b, tracks)}
}

// endSink takes a buffer offline and wakes its pushes. The caller holds mu.
func (s *Server) endSink(b *sink, reason string) {
	if b.gone != "" {
		return
	}
	b.gone = reason
	delete(s.sinks, b.name)
	if len(b.tracks) > 0 {
		s.ended[b.name] = &ended{
			at: time.Now(), repeats: streamEndRepeats,
			totals: func() sessionTotals { return sessionTotals{up: b.sent, inputs: 1, outputs: b.pushed} },
		}
	}
	b.signal()
	b.closeUnused()
}
