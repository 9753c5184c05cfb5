package mistsim

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"weir/mist/mistsim/shm"
	"weir/mist/mistsim/ts"
)

// input is a file source that was opened: the stand-in for a MistInTS.
type input struct {
	stream, path string
	source       shm.Source
	lastMS       int64
	users        map[int]bool // processes that read it
	everUsed     int          // how many ever did; STREAM_END counts them
	idleSince    time.Time
}

// kickoff starts the stream's input unless it runs, and reads its header.
func (s *Server) kickoff(stream string) shm.Source {
	s.mu.Lock()
	o, known := s.streamConfig(stream)
	running := s.inputs[stream]
	path, _ := o["source"].(string)
	s.mu.Unlock()
	answer := shm.Source{
		State: shm.Missing, Path: path, Upstream: s.upstream(),
		Timing: shm.Timing{Stats: s.cfg.Timing.Stats, TrackWait: s.cfg.Timing.TrackWait, Poll: s.cfg.Timing.Poll},
	}
	if running != nil {
		return running.source
	}
	if !known || !strings.HasSuffix(path, ".ts") || !strings.HasPrefix(path, "/") {
		return answer
	}
	tracks, err := readTracks(path)
	if err != nil {
		s.log.Info("source cannot be opened", "stream", stream, "error", err)
		return answer
	}
	if len(tracks) == 0 {
		answer.State = shm.Booting
		return answer
	}
	answer.State, answer.Tracks, answer.UUID = shm.Ready, tracks, newUUID()
	in := &input{stream: stream, path: path, source: answer, users: map[int]bool{}, idleSince: time.Now()}
	for _, t := range tracks {
		in.lastMS = max(in.lastMS, t.LastMS)
	}
	s.mu.Lock()
	s.inputs[stream] = in
	delete(s.ended, stream)
	s.note(logLine{kind: "INFO", message: "Input started", stream: stream})
	s.mu.Unlock()
	return answer
}

// readTracks reads a whole file for its header, as MistInTS does. A file
// without a single frame is no error and has no tracks.
func readTracks(path string) ([]shm.SourceTrack, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var tracks []shm.SourceTrack
	index := map[uint16]int{}
	frames := map[int]int64{}
	for d := ts.NewDemuxer(f); ; {
		frame, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		i, seen := index[frame.PID]
		if !seen {
			i = len(tracks)
			index[frame.PID] = i
			tracks = append(tracks, shm.SourceTrack{Index: i, PID: int(frame.PID), Codec: frame.Codec, FirstMS: frame.MS()})
		}
		t := &tracks[i]
		if frame.Key {
			t.Keys++
		}
		if t.Width == 0 && frame.Key {
			if h, ok := ts.ParseHeader(frame.Codec, frame.Data); ok {
				t.Width, t.Height, t.FPKS = h.Width, h.DisplayHeight(), h.FPKS
			}
		}
		t.LastMS = max(t.LastMS, frame.MS())
		t.Bytes += int64(len(frame.Data))
		frames[i]++
	}
	for i := range tracks {
		if t := &tracks[i]; t.FPKS == 0 && ts.IsVideo(t.Codec) {
			t.FPKS = rate(frames[i], t.LastMS-t.FirstMS)
		}
	}
	return tracks, nil
}

// rate is frames per 1,000 seconds, measured over a track.
func rate(frames, ms int64) int {
	const perKS = 1000 * 1000
	if frames < 2 || ms <= 0 {
		return 0
	}
	return int(((frames-1)*perKS + ms/2) / ms)
}

// endInput takes a source offline. The caller holds mu; the returned event, if
// any, is fired after mu is released.
func (s *Server) endInput(in *input) []event {
	delete(s.inputs, in.stream)
	s.ended[in.stream] = &ended{
		at: time.Now(), repeats: streamEndRepeats,
		totals: func() sessionTotals { return sessionTotals{inputs: 1, outputs: in.everUsed} },
	}
	for pid := range in.users {
		s.terminate(pid)
	}
	if !s.upstream() {
		return nil
	}
	return []event{{
		name: inputAbort, stream: in.stream, pid: os.Getpid(), streamUUID: in.source.UUID,
		body: joined(in.stream, in.path, "MistInTS", os.Getpid(), "FORMAT_SPECIFIC", "Could not getNext TS packet!"),
	}}
}

// idleInputs ends sources without users. One whose config is gone counts as
// always on and stays until it is nuked.
func (s *Server) idleInputs(now time.Time) []event {
	var events []event
	for _, in := range s.inputs {
		if _, known := s.streamConfig(in.stream); known && len(in.users) == 0 && now.Sub(in.idleSince) > s.cfg.Timing.InputTimeout {
			events = append(events, s.endInput(in)...)
		}
	}
	return events
}
