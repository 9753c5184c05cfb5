package media

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"weir/media/mpegts"
)

const (
	// soundName is the file, in the attempt's folder, that holds the source's sound as all its
	// renditions have it.
	soundName = "source.sound.ts"

	// soundPID is its track's in every file of ours.
	soundPID = videoPID + 1

	// soundLead is where in that file the sound begins, as what an encoder puts before it must not
	// come to lie below 0.
	soundLead = 10 * tsClock

	// audioBitsPerChannel is AAC's rate where audio has to be encoded: transparent to most ears.
	audioBitsPerChannel = 96_000
)

// tsAudio reports whether MPEG-TS carries an audio codec so that players understand it. The others
// (PCM, Opus, Vorbis, FLAC, ALAC) become AAC.
func tsAudio(codec string) bool {
	switch codec {
	case "aac", "aac_latm", "mp2", "mp3", "ac3", "eac3", "dts":
		return true
	default:
		return false
	}
}

// encodes says whether renditions have another sound than the source's own: where it has
// gaps, where it is a clip's, which is cut at its sample, or where those who read it know no such codec.
func encodes(src Source, browsers bool) bool {
	audio := src.Audio
	return src.Cut != nil || audio.Loose || !tsAudio(audio.Codec) || browsers && audio.Codec != "aac"
}

// Sound makes the sound of an attempt's renditions, once for all of them, beside the prepared file.
// Finish does so itself where it is not there; before, while the picture is transcoded, it costs no
// time. A source without sound has none. It may be repeated, also at the same time.
func (t *Tools) Sound(ctx context.Context, from string, src Source, prep Prepared) error {
	if src.Audio == nil {
		return nil
	}
	failed := &Error{
		Code: CodeFinishFailed, Op: "finish", Path: from,
		Text: "the source's audio could not be put into the form that renditions need",
	}
	out := soundPath(prep)
	leave, err := t.sounds.enter(ctx, out)
	if err != nil {
		return blame(err, failed)
	}
	defer leave()
	_, err = os.Stat(out)
	if !errors.Is(err, fs.ErrNotExist) {
		return blame(err, failed)
	}
	if src.Mended {
		from = mendedPath(from)
	}
	in, err := input(from)
	if err != nil {
		return blame(err, failed)
	}
	part := out + ".part"
	defer os.Remove(part) //nolint:errcheck // renamed away when all went well
	args := append([]string{"-n", followNice, t.ffmpeg()}, soundArgs(in, src, prep.AAC)...)
	if err := run(ctx, "nice", nil, nil, append(args, "file:"+part)...); err != nil {
		return blame(err, failed)
	}
	return blame(os.Rename(part, out), failed)
}

func soundPath(p Prepared) string { return filepath.Join(filepath.Dir(p.Path), soundName) }

func soundArgs(in []string, src Source, browsers bool) []string {
	audio := src.Audio
	later := toUS(soundLead) - audio.StartUS
	args := []string{
		"-nostdin", "-y", "-hide_banner", "-loglevel", "error", "-copyts",
		"-itsoffset", fmt.Sprintf("%dus", later),
	}
	args = append(args, src.near(in)...)
	args = append(args, "-map", "0:"+strconv.Itoa(audio.Index), "-c", "copy")
	if encodes(src, browsers) {
		args = append(args, "-c:a", "aac", "-b:a", strconv.Itoa(audioBitsPerChannel*max(1, audio.Channels)))
	}
	var filters []string
	if audio.Loose || src.Cut != nil { // gaps become silence, overlaps go
		filters = append(filters, "aresample=async=1:min_hard_comp=0.01")
	}
	if src.Cut != nil {
		filters = append(filters, src.Cut.filter(later))
	}
	if len(filters) > 0 {
		args = append(args, "-af", strings.Join(filters, ","))
	}
	return append(args, "-muxdelay", "0", "-muxpreload", "0", "-avoid_negative_ts", "disabled",
		"-streamid", "0:"+strconv.Itoa(soundPID), "-f", "mpegts")
}

// A soundTrack is the track of such a file, packet by packet.
type soundTrack struct {
	file *os.File
	r    *bufio.Reader
	// entry is the track's in the table of programs.
	entry []byte
	// shift is what is added to its times.
	shift int64
	// at is when what comes next is to be played, in ticks; over: nothing does.
	at   int64
	over bool
	head [tsPacket]byte // the packet that begins it
}

var errNoSound = errors.New("it holds no sound")

func openSound(path string) (*soundTrack, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &soundTrack{file: file, r: bufio.NewReaderSize(file, writeBuffer)}
	for s.entry == nil || !s.begins() {
		if err := s.read(); err != nil {
			_ = file.Close() // only read
			if errors.Is(err, io.EOF) {
				err = errNoSound
			}
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		if mpegts.PID(s.head[:]) == pmtPID {
			s.entry = bytes.Clone(mpegts.Entries(mpegts.Payload(s.head[:])))
		}
	}
	s.at = mpegts.Timestamp(mpegts.TimedPES(s.head[:])[9:])
	return s, nil
}

// read takes the next packet.
func (s *soundTrack) read() error {
	if _, err := io.ReadFull(s.r, s.head[:]); err != nil {
		return err
	}
	if s.head[0] != tsSync {
		return mpegts.ErrNotTS
	}
	return nil
}

// begins says whether the packet at hand begins a PES packet of the sound.
func (s *soundTrack) begins() bool {
	return mpegts.PID(s.head[:]) == soundPID && mpegts.TimedPES(s.head[:]) != nil
}

// writeUntil writes what is to be played up to a time.
func (s *soundTrack) writeUntil(m *muxer, ticks int64) error {
	for !s.over && s.at+s.shift <= ticks {
		if err := s.one(m); err != nil {
			return err
		}
	}
	return nil
}

// one writes the PES packet at hand, and finds the next.
func (s *soundTrack) one(m *muxer) error {
	pes := mpegts.TimedPES(s.head[:])
	pts, dts := mpegts.Times(pes)
	mpegts.SetTimes(pes, pts+s.shift, dts+s.shift)
	for {
		if err := m.pass(s.head[:]); err != nil {
			return err
		}
		for {
			err := s.read()
			if errors.Is(err, io.EOF) {
				s.over = true
				return nil
			}
			if err != nil {
				return fmt.Errorf("read the sound: %w", err)
			}
			if mpegts.PID(s.head[:]) == soundPID {
				break
			}
		}
		if s.begins() {
			if on := mpegts.Wrapped(mpegts.Timestamp(mpegts.TimedPES(s.head[:])[9:]) - s.at); on < tsWrap/2 {
				s.at += on
			}
			return nil
		}
	}
}

func (s *soundTrack) close() { _ = s.file.Close() } // only read

// turns let one at a time work on each path. The zero value is ready.
type turns struct {
	mu    sync.Mutex
	taken map[string]chan struct{} // closed when it is free again
}

// enter waits for the turn, or for ctx's end. Who has entered must leave.
func (t *turns) enter(ctx context.Context, path string) (leave func(), err error) {
	for {
		t.mu.Lock()
		free, taken := t.taken[path]
		if !taken {
			if t.taken == nil {
				t.taken = map[string]chan struct{}{}
			}
			free = make(chan struct{})
			t.taken[path] = free
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				defer t.mu.Unlock()
				delete(t.taken, path)
				close(free)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
