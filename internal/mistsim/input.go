package mistsim

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"weir/internal/mistsim/shm"
	"weir/internal/mistsim/ts"
)

// input is a file source that was opened: the stand-in for a MistInTS.
type input struct {
	stream, path string
	source       shm.Source
	lastMS       int64
	users        map[int]bool // processes that read it
	everUsed     int          // how many ever did; STREAM_END counts them
	idleSince    time.Time
	pid          int           // of its process, 0 before it is there and after it was killed
	gone         chan struct{} // closed when that process is gone
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
		Timing: shm.Timing{
			Stats: s.cfg.Timing.Stats, TrackWait: s.cfg.Timing.TrackWait, Poll: s.cfg.Timing.Poll, Turn: s.cfg.Timing.Turn,
			UploadSlack: s.cfg.Timing.UploadSlack,
		},
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
	in := &input{stream: stream, path: path, users: map[int]bool{}, idleSince: time.Now(), gone: make(chan struct{})}
	for _, t := range tracks {
		in.lastMS = max(in.lastMS, t.LastMS)
	}
	answer.State, answer.Tracks, answer.UUID = shm.Ready, tracks, newUUID()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(tracks) == 0 {
		answer.State = shm.Booting
		s.booting[stream] = in
	} else {
		s.inputs[stream] = in
		delete(s.ended, stream)
		s.note(logLine{kind: "INFO", message: "Input started", stream: stream})
	}
	in.source = answer // others find it running
	answer.Started = true
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
		if page := len(t.Pages) - 1; page < 0 || frame.Key && t.Pages[page].Bytes > flipPage {
			t.Pages = append(t.Pages, shm.TrackPage{FirstKey: t.Keys})
		}
		t.Pages[len(t.Pages)-1].Bytes += int64(len(frame.Data))
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
	}
	return tracks, nil
}

// flipPage is how many bytes fill a page: the next keyframe begins another
// (lib/defines.h, FLIP_DATA_PAGE_SIZE).
const flipPage = 8 << 20

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
	pid := in.pid
	s.terminate(pid)
	if !s.upstream() {
		return nil
	}
	if pid == 0 {
		pid = os.Getpid()
	}
	return []event{{
		name: inputAbort, stream: in.stream, pid: pid, streamUUID: in.source.UUID,
		body: joined(in.stream, in.path, "MistInTS", pid, "FORMAT_SPECIFIC", "Could not getNext TS packet!"),
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
