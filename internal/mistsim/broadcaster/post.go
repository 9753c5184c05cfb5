package broadcaster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxSegment is go-livepeer's MaxSegSize.
	maxSegment = 300_000_000
	// defaultLength is a segment's where the header is no number, and maxLength
	// the longest that is taken.
	defaultLength = 2 * time.Second
	maxLength     = 300 * time.Second
	// patience times its length is what a segment is given, where that is more
	// than Config.Timeout (go-livepeer, SegHttpPushTimeoutMultiplier).
	patience = 4
)

// Formats by extension, with ffmpeg's name and the part's Content-Type.
type format struct{ muxer, mime string }

var formats = map[string]format{".ts": {"mpegts", "video/mp2t"}, ".mp4": {"mp4", "video/mp4"}}

// post is one segment that a client sent.
type post struct {
	manifest string
	// url is how texts name it.
	url      string
	name     string // manifest/segment
	seq      uint64
	ext      string
	format   format
	length   time.Duration
	from, to time.Duration // the slice wanted of it; 0 means none
	profiles []Profile     // the header's
	data     []byte
}

// readPost checks a request in the real one's order.
func readPost(w http.ResponseWriter, r *http.Request) (*post, error) {
	if r.Method != http.MethodPost && r.Method != http.MethodPut {
		return nil, refuse(http.StatusMethodNotAllowed, "http push request wrong method=%s url=%s host=%s", r.Method, r.URL, r.Host)
	}
	file := r.PathValue("segment")
	p := &post{manifest: r.PathValue("id"), url: (&url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path}).String(), ext: path.Ext(file)}
	p.name = p.manifest + "/" + file
	var err error
	if p.profiles, err = profilesOf(r.Header); err != nil {
		return nil, refuseConfig(err)
	}
	if p.data, err = io.ReadAll(http.MaxBytesReader(w, r.Body, maxSegment)); err != nil {
		return nil, refuse(http.StatusInternalServerError, "Error reading http request body: %v", err)
	}
	var known bool
	if p.format, known = formats[p.ext]; !known {
		return nil, refuse(http.StatusBadRequest, "ignoring file extension: %s", p.ext)
	}
	p.from, p.to = milliseconds(r.Header, "Content-Slice-From"), milliseconds(r.Header, "Content-Slice-To")
	if p.to > 0 && p.from > p.to {
		return nil, refuse(http.StatusBadRequest, "Invalid slice config from=%s to=%s", p.from, p.to)
	}
	p.seq, _ = strconv.ParseUint(strings.TrimSuffix(file, p.ext), 10, 64) // 0 for what is no number
	p.length = defaultLength
	if ms, err := strconv.Atoi(r.Header.Get("Content-Duration")); err == nil {
		p.length = time.Duration(ms) * time.Millisecond
	}
	return p, nil
}

func milliseconds(header http.Header, key string) time.Duration {
	ms, _ := strconv.ParseUint(header.Get(key), 10, 32) // what is no number counts as none
	return time.Duration(ms) * time.Millisecond
}

func (b *Broadcaster) servePost(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	p, err := readPost(w, r)
	if err == nil {
		err = b.answer(w, r, p)
	}
	var refused *refusal
	switch {
	case err == nil:
		b.cfg.Log.Info("segment", "segment", p.name, "bytes", len(p.data), "took", time.Since(began))
		return
	case errors.As(err, &refused):
		http.Error(w, refused.text, refused.status)
	}
	b.cfg.Log.Warn("segment not transcoded", "url", r.URL.Path, "error", err, "took", time.Since(began))
	if refused == nil {
		panic(http.ErrAbortHandler)
	}
}

// answer transcodes the segment and writes the renditions, or returns a refusal
// or the error that drops the connection.
func (b *Broadcaster) answer(w http.ResponseWriter, r *http.Request, p *post) error {
	fault := b.nextFault(p.name)
	if err := fault.before(r, p); err != nil {
		return err
	}
	m, ok := b.gateway.enter(p.manifest, p.profiles)
	if !ok {
		return p.refuseManifest()
	}
	defer m.leave()
	if p.length < 0 || p.length > maxLength {
		return p.failed(http.StatusInternalServerError, fmt.Sprintf("invalid duration %v", p.length.Seconds()))
	}
	src := look(p.data)
	if b.decodes(src.codec) && len(src.times) == 0 && src.sound != "" {
		// No picture that could be decoded: the renditions are the source.
		return reply(w, r, p, m.profiles, slices.Repeat([][]byte{p.data}, len(m.profiles)), fault)
	}
	if len(m.profiles) == 0 {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	renditions, err := b.orchestrate(m, p, src, fault)
	if err != nil {
		return err
	}
	fault.spoil(renditions)
	b.segments.Add(1)
	return reply(w, r, p, m.profiles, renditions, fault)
}

// orchestrate has an orchestrator do the work. Like the real one it goes on with
// a segment whose sender has left, which is then still in flight.
func (b *Broadcaster) orchestrate(m *manifest, p *post, src *source, fault Faults) ([][]byte, error) {
	if !m.send(p.length) {
		return nil, noSessions()
	}
	defer m.land()
	ctx, cancel := context.WithTimeout(b.running, max(b.cfg.Timeout, patience*p.length))
	defer cancel()
	done, ok := m.turn(ctx)
	if !ok {
		return nil, fmt.Errorf("%w: orchestrator busy", errDropped)
	}
	defer done()
	finish := fault.pace(p.length)
	renditions, err := b.work(ctx, m, p, src)
	if waited := finish(ctx); err == nil && waited != nil {
		err = fmt.Errorf("%w: %w", errDropped, waited)
	}
	return renditions, err
}

// work is one segment on a transcoder.
func (b *Broadcaster) work(ctx context.Context, m *manifest, p *post, src *source) ([][]byte, error) {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errDropped, ctx.Err())
	}
	outputs, err := b.plan(p, src, m.profiles)
	if err != nil {
		return nil, err
	}
	renditions, err := b.encode(ctx, p, outputs)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDropped, err)
	}
	return renditions, nil
}
