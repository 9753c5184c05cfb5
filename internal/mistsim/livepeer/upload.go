package livepeer

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"weir/internal/mistsim/shm"
)

const (
	// maxAttempts is how often a segment is uploaded before the process gives up.
	maxAttempts = 5
	// tries is how often one attempt asks the same broadcaster.
	tries = 2
	// retryPause limits the rate of retries.
	retryPause = 100 * time.Millisecond
	// progress is how many bytes must pass to count as a sign of life.
	progress = 25_600
	// userAgent is what Mist calls itself.
	userAgent = "MistServer/3.10"
	// maxRenditions bounds an answer.
	maxRenditions = 512 << 20
)

// answer is a broadcaster's reply, read to its end.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// upload is the life of one slot's uploader: it has each segment transcoded, gives
// the renditions to the sink when it is the slot's turn, and frees the slot. It ends
// when the transcode stops.
func (p *Process) upload(active, ctx context.Context, stop context.CancelCauseFunc, n int) {
	seg, refused := &p.slots[n], ""
	for p.until(active, func() bool { return seg.written }) {
	attempts:
		for attempt := 1; active.Err() == nil; attempt++ {
			bc := p.broadcaster()
			target := fmt.Sprintf("%s/live/%s/%d.ts", strings.TrimSuffix(bc, "/"), p.id, seg.number)
			began := time.Now()
			got, err := p.post(ctx, target, seg)
			switch {
			case err == nil && got.status == http.StatusOK:
				refused = ""
				p.set(&seg.written, false)
				if !p.until(active, func() bool { return p.insertTurn == n }) {
					return
				}
				p.ingest(active, ctx, seg, got)
				p.release(seg)
				break attempts
			case err == nil && got.status == http.StatusUnprocessableEntity:
				p.count(&p.non200)
				p.log("WARN", fmt.Sprintf("Rejected upload of %d bytes to %s after %d ms: %d", len(seg.data), target, time.Since(began).Milliseconds(), got.status))
				if refused != "" {
					p.reject(ctx, seg, refused, target)
					refused = ""
					break attempts
				}
				refused = target
			case err == nil:
				p.count(&p.non200)
				p.log("WARN", fmt.Sprintf("Failed to upload %d bytes to %s in %d ms: %d", len(seg.data), target, time.Since(began).Milliseconds(), got.status))
			case active.Err() != nil:
				return
			default:
				p.count(&p.timeouts)
				p.log("WARN", fmt.Sprintf("Failed to upload %d bytes to %s in %d ms: %v", len(seg.data), target, time.Since(began).Milliseconds(), err))
			}
			pause(active, retryPause)
			if attempt >= maxAttempts {
				stop(errGaveUp)
				return
			}
			if !p.change(bc) && refused != "" {
				p.reject(ctx, seg, refused, "N/A")
				refused = ""
				break attempts
			}
		}
	}
}

func (p *Process) set(flag *bool, v bool) {
	p.slotMu.Lock()
	defer p.slotMu.Unlock()
	*flag = v
}

// release frees a slot and passes the turn on, be it this slot's turn or not.
func (p *Process) release(seg *slot) {
	p.slotMu.Lock()
	defer p.slotMu.Unlock()
	seg.written, seg.read = false, true
	p.insertTurn = (p.insertTurn + 1) % slotCount
}

func (p *Process) broadcaster() string {
	p.statsMu.Lock()
	defer p.statsMu.Unlock()
	return p.bc
}

func (p *Process) count(n *uint64) {
	p.statsMu.Lock()
	defer p.statsMu.Unlock()
	*n++
}

// change switches to another broadcaster and says whether there was one.
func (p *Process) change(from string) bool {
	p.statsMu.Lock()
	p.cookie = ""
	next := p.opt.pick(p.bc)
	changed := next != p.bc
	if changed {
		p.bc = next
		p.switches++
	}
	p.statsMu.Unlock()
	if changed {
		p.log("WARN", fmt.Sprintf("Switched from %s to new broadcaster: %s", from, next))
	} else {
		p.log("WARN", "Cannot switch broadcaster; only a single option is available")
	}
	return changed
}

// post makes one attempt: two tries at the same broadcaster, but one where it asks
// for a log-in. It goes on after the transcode stopped, because the real process
// joins its uploads.
func (p *Process) post(ctx context.Context, target string, seg *slot) (*answer, error) {
	var failure error
	for range tries {
		got, err := p.try(ctx, target, seg)
		if err == nil {
			if isAuthentication(got.status) {
				return nil, errUnanswered
			}
			return got, nil
		}
		failure = err
		p.log("FAIL", fmt.Sprintf("Post to %s failed: %v", target, err))
	}
	return nil, failure
}

func (p *Process) try(ctx context.Context, target string, seg *slot) (*answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	alive := listen(seg.patience(p.source.Timing.UploadSlack), cancel)
	defer alive.stop()
	body := func() (io.ReadCloser, error) { return io.NopCloser(alive.reader(bytes.NewReader(seg.data))), nil }
	upload, err := body()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, upload)
	if err != nil {
		return nil, err
	}
	req.ContentLength, req.GetBody = int64(len(seg.data)), body
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "multipart/mixed")
	req.Header.Set("Content-Duration", strconv.FormatUint(seg.duration(), 10))
	req.Header.Set("Content-Resolution", fmt.Sprintf("%dx%d", p.track.Width, p.track.Height))
	p.statsMu.Lock()
	if p.cookie != "" {
		req.Header.Set("Cookie", p.cookie)
	}
	p.statsMu.Unlock()
	if p.opt.AccessToken == "" {
		req.Header.Set("Livepeer-Transcode-Configuration", compact(map[string]any{"profiles": p.opt.Profiles}))
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(alive.reader(resp.Body), maxRenditions))
	if err != nil {
		return nil, err
	}
	if cookie, _, _ := strings.Cut(resp.Header.Get("Set-Cookie"), ";"); cookie != "" && resp.StatusCode == http.StatusOK {
		p.statsMu.Lock()
		p.cookie = cookie
		p.statsMu.Unlock()
	}
	return &answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), body: data}, nil
}

// duration is the segment's length in ms; one that runs back has a huge one.
func (s *slot) duration() uint64 { return uint64(s.durationMS) } // the overflow is the point

// patience is the silence after which a try is given up.
func (s *slot) patience(slack time.Duration) time.Duration {
	return time.Duration(uint32(s.duration()/1000))*time.Second + slack //nolint:mnd // whole seconds in a 32-bit number
}

// ear gives up on a request when too little passes for too long.
type ear struct {
	mu     sync.Mutex
	timer  *time.Timer
	wait   time.Duration
	passed int
}

func listen(wait time.Duration, giveUp func()) *ear {
	return &ear{timer: time.AfterFunc(wait, giveUp), wait: wait}
}

func (e *ear) stop() { e.timer.Stop() }

func (e *ear) reader(r io.Reader) io.Reader { return &heard{r: r, ear: e} }

// heard counts what is read through it.
type heard struct {
	r   io.Reader
	ear *ear
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.r.Read(b)
	h.ear.mu.Lock()
	defer h.ear.mu.Unlock()
	if h.ear.passed += n; h.ear.passed > progress {
		h.ear.passed = 0
		h.ear.timer.Reset(h.ear.wait)
	}
	return n, err
}

// ingest gives an answer's renditions to the sink. One that is no multipart, or holds
// no media, leaves a hole in the output, and nobody is told.
func (p *Process) ingest(active, ctx context.Context, seg *slot, got *answer) {
	parts, err := p.renditions(got)
	if err != nil {
		p.count(&p.parse)
		p.log("FAIL", fmt.Sprintf("Non-multipart response (%s, %d bytes) received - this version only works with multipart!", got.contentType, len(got.body)))
		return
	}
	if len(parts) == 0 {
		return
	}
	var done shm.Ingested
	if err := p.link.Call(ctx, "/ingest", shm.Ingest{PID: p.pid, Sink: p.opt.Sink, TimeMS: seg.timeMS, Parts: parts}, &done); err != nil {
		if active.Err() == nil {
			p.log("FAIL", err.Error())
		}
		return
	}
	for _, id := range done.TrackIDs {
		if !p.initialized[id] {
			p.initialized[id] = true
			p.log("INFO", fmt.Sprintf("Initializing track %d as %d for playlist %d", id&0xffff, id, id>>16)) //nolint:mnd // the ordinal is above the PID
		}
	}
	p.statsMu.Lock()
	p.sinkMS, p.sinkTrack = max(p.sinkMS, uint64(done.SinkMS)), done.Tracks
	p.statsMu.Unlock()
}

var errNotMultipart = errors.New("not multipart")

// renditions reads the parts that hold media. A part counts only when another
// boundary follows it, and the boundary is taken as it stands in the header, quotes
// and further parameters included. The order is the one in which the real sink picks
// them up: of those waiting, the last by name first.
func (p *Process) renditions(got *answer) ([]shm.Part, error) {
	if !strings.HasPrefix(got.contentType, "multipart/") {
		return nil, errNotMultipart
	}
	_, boundary, found := strings.Cut(got.contentType, "boundary=")
	if !found {
		p.log("FAIL", "Could not parse boundary string from Content-Type header!")
		return nil, nil
	}
	const lineEnd = "\r\n"
	pieces := bytes.Split(got.body, []byte("--"+boundary))
	var parts []shm.Part
	for i := 1; i+1 < len(pieces); i++ { // between the first boundary and the last
		piece := bytes.TrimPrefix(pieces[i], []byte(lineEnd))
		head, data, found := bytes.Cut(piece, []byte(lineEnd+lineEnd))
		if !found {
			p.log("FAIL", "Could not find end of headers for multi-part part; skipping to next part")
			continue
		}
		header := map[string]string{}
		for line := range strings.SplitSeq(string(head), lineEnd) {
			if name, value, ok := strings.Cut(line, ": "); ok {
				header[name] = value
			}
		}
		if !strings.HasPrefix(strings.ToLower(header["Content-Type"]), "video/mp2t") {
			continue
		}
		name := header["Rendition-Name"]
		if _, known := p.ordinals[name]; !known {
			p.ordinals[name] = len(p.ordinals)
		}
		parts = append(parts, shm.Part{Name: name, Ordinal: p.ordinals[name], Data: bytes.TrimSuffix(data, []byte(lineEnd))})
	}
	slices.SortStableFunc(parts, func(a, b shm.Part) int { return strings.Compare(b.Name, a.Name) })
	return parts, nil
}

// reject tells that no broadcaster takes the segment, and skips it at once: it does
// not wait for its turn, but uses one up. Where the segment before is not yet taken
// over, that one's turn is gone for good, and the process with it.
func (p *Process) reject(ctx context.Context, seg *slot, first, second string) {
	p.log("FAIL", "Segment could not be transcoded, skipping to next and submitting for analysis")
	info := compact(map[string]any{"width": p.track.Width, "height": p.track.Height, "duration": seg.duration()})
	_ = p.link.Call(ctx, "/trigger", shm.Trigger{
		PID: p.pid, Name: "LIVEPEER_SEGMENT_REJECTED", Stream: p.opt.Sink,
		Body: fmt.Sprintf("%s\n%s\n%s\n%s\n%s", compact(p.opt.raw), base64.StdEncoding.EncodeToString(seg.data), info, first, second),
	}, nil)
	p.release(seg)
}
