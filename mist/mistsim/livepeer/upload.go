package livepeer

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/mist/mistsim/shm"
)

const (
	// attempts is how often a segment is uploaded before the process gives up.
	attempts = 5
	// tries is how often one attempt asks the same broadcaster.
	tries = 2
	// slack is added to a segment's duration for its timeout.
	slack = 2 * time.Second
	// retryPause limits the rate of retries.
	retryPause = 100 * time.Millisecond
	// maxRenditions bounds an answer.
	maxRenditions = 512 << 20
)

// answer is a broadcaster's reply, read to its end.
type answer struct {
	status      int
	contentType string
	body        []byte
}

// upload has one segment transcoded and gives the renditions to the sink when
// it is the segment's turn. It reports whether the segment is done with, be it
// ingested or skipped; after the transcode stopped nothing is done with.
func (p *Process) upload(active, ctx context.Context, stop context.CancelCauseFunc, seg *segment) bool {
	refused := ""
	for attempt := 1; active.Err() == nil; attempt++ {
		bc := p.broadcaster()
		target := fmt.Sprintf("%s/live/%s/%d.ts", strings.TrimSuffix(bc, "/"), p.id, seg.number)
		began := time.Now()
		got, err := p.post(ctx, target, seg)
		switch {
		case err == nil && got.status == http.StatusOK:
			return p.ingest(active, ctx, seg, got)
		case err == nil:
			p.count(&p.non200)
			p.log("WARN", fmt.Sprintf("Failed to upload %d bytes to %s in %d ms: %d", len(seg.data), target, time.Since(began).Milliseconds(), got.status))
			if got.status == http.StatusUnprocessableEntity {
				if refused != "" {
					return p.reject(active, ctx, seg, refused, target)
				}
				refused = target
			}
		case active.Err() != nil:
			return false
		default:
			p.count(&p.timeouts)
			p.log("WARN", fmt.Sprintf("Failed to upload %d bytes to %s in %d ms: %v", len(seg.data), target, time.Since(began).Milliseconds(), err))
		}
		pause(active, retryPause)
		if attempt >= attempts {
			stop(errGaveUp)
			return false
		}
		if !p.change(bc) && refused != "" {
			return p.reject(active, ctx, seg, refused, "N/A")
		}
	}
	return false
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

// post makes one attempt: two tries at the same broadcaster. It goes on after
// the transcode stopped, because the real process joins its uploads.
func (p *Process) post(ctx context.Context, target string, seg *segment) (*answer, error) {
	var failure error
	for range tries {
		got, err := p.try(ctx, target, seg)
		if err == nil {
			return got, nil
		}
		failure = err
		p.log("FAIL", fmt.Sprintf("Post to %s failed: %v", target, err))
	}
	return nil, failure
}

func (p *Process) try(ctx context.Context, target string, seg *segment) (*answer, error) {
	patience := time.Duration(seg.durationMS/1000)*time.Second + slack
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(seg.data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "multipart/mixed")
	req.Header.Set("Content-Duration", strconv.FormatInt(seg.durationMS, 10))
	req.Header.Set("Content-Resolution", fmt.Sprintf("%dx%d", p.track.Width, p.track.Height))
	if p.opt.AccessToken == "" {
		text, err := json.Marshal(map[string]any{"profiles": p.opt.Profiles})
		if err != nil {
			return nil, err
		}
		req.Header.Set("Livepeer-Transcode-Configuration", string(text))
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxRenditions))
	if err != nil {
		return nil, err
	}
	return &answer{status: resp.StatusCode, contentType: resp.Header.Get("Content-Type"), body: body}, nil
}

// myTurn waits until all segments before this one are done with.
func (s *segment) myTurn(active context.Context) bool {
	select {
	case <-active.Done():
		return false
	case <-s.before:
		return active.Err() == nil
	}
}

func (p *Process) ingest(active, ctx context.Context, seg *segment, got *answer) bool {
	if !seg.myTurn(active) {
		return false
	}
	defer close(seg.after)
	parts, err := p.renditions(got)
	if err != nil {
		p.count(&p.parse)
		p.log("FAIL", fmt.Sprintf("Non-multipart response (%s, %d bytes) received - this version only works with multipart!", got.contentType, len(got.body)))
		return true // a hole in the output, and nobody is told
	}
	if len(parts) == 0 {
		return true
	}
	var done shm.Ingested
	if err := p.link.Call(ctx, "/ingest", shm.Ingest{PID: p.pid, Sink: p.opt.Sink, TimeMS: seg.timeMS, Parts: parts}, &done); err != nil {
		if active.Err() == nil {
			p.log("FAIL", err.Error())
		}
		return true
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
	return true
}

var errNotMultipart = errors.New("not multipart")

// renditions reads the parts that hold media. Their order is the one in which
// the real sink picks them up: of those waiting, the last by name first.
func (p *Process) renditions(got *answer) ([]shm.Part, error) {
	kind, parameters, err := mime.ParseMediaType(got.contentType)
	if err != nil || !strings.HasPrefix(kind, "multipart/") {
		return nil, errNotMultipart
	}
	var parts []shm.Part
	reader := multipart.NewReader(bytes.NewReader(got.body), parameters["boundary"])
	for {
		part, err := reader.NextPart()
		if err != nil {
			break // what came before counts
		}
		data, err := io.ReadAll(part)
		name := part.Header.Get("Rendition-Name")
		if err != nil || !strings.HasPrefix(strings.ToLower(part.Header.Get("Content-Type")), "video/mp2t") {
			continue
		}
		if _, known := p.ordinals[name]; !known {
			p.ordinals[name] = len(p.ordinals)
		}
		parts = append(parts, shm.Part{Name: name, Ordinal: p.ordinals[name], Data: data})
	}
	slices.SortFunc(parts, func(a, b shm.Part) int { return strings.Compare(b.Name, a.Name) })
	return parts, nil //nolint:nilerr // a part that can't be read is left out, as the real one does
}

// reject tells that no broadcaster takes the segment, and skips it.
func (p *Process) reject(active, ctx context.Context, seg *segment, first, second string) bool {
	p.log("FAIL", "Segment could not be transcoded, skipping to next and submitting for analysis")
	opts, err := json.Marshal(p.opt.raw)
	if err != nil {
		opts = []byte("{}")
	}
	info, err := json.Marshal(map[string]any{"width": p.track.Width, "height": p.track.Height, "duration": seg.durationMS})
	if err != nil {
		info = []byte("{}")
	}
	_ = p.link.Call(ctx, "/trigger", shm.Trigger{
		PID: p.pid, Name: "LIVEPEER_SEGMENT_REJECTED", Stream: p.opt.Sink,
		Body: fmt.Sprintf("%s\n%s\n%s\n%s\n%s", opts, base64.StdEncoding.EncodeToString(seg.data), info, first, second),
	}, nil)
	if !seg.myTurn(active) {
		return false
	}
	close(seg.after)
	return true
}
