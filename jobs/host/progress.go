package host

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"time"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/jobs/pace"
)

const (
	// tellEvery is how often progress is written down: Studio hears of it every 30 s at the
	// least, and each time costs a transaction.
	tellEvery = 5 * time.Second
	// paceEvery is how often a host looks how long its last transcodes took.
	paceEvery = time.Minute
	// forgetAfter is when an attempt of which nothing more is heard is forgotten: a stage
	// that shows no progress for so long has none to show.
	forgetAfter = 15 * time.Minute
)

// progress is how far this host's attempts are, until it is told: all in one statement.
type progress struct {
	mu       sync.Mutex
	attempts map[engine.Name]*course
	pushed   map[pushedOf]int64
	// past is what this host's last transcodes took; nothing is known of it at first.
	past   dbsqlc.AttemptPaceRow
	pastAt time.Time
}

type pushedOf struct {
	name      engine.Name
	rendition string
}

// course is an attempt on its way through its stages.
type course struct {
	ratio float64
	now   noted
	// samples are of the stage it is in, since when it is.
	samples pace.Samples
	since   time.Time
	// news: there is something to tell.
	news bool
	// size is the source's, media its length; 0: not known yet.
	size  int64
	media time.Duration
	// sent is how much of each file is sent, where files are being stored.
	sent  map[string]int64
	heard time.Time
}

// noted is how far an attempt is in a stage.
type noted struct {
	stage    jobs.Stage
	done, of int64
	unit     string
}

func (p *progress) of(name engine.Name, now time.Time) *course {
	if p.attempts == nil {
		p.attempts = map[engine.Name]*course{}
	}
	c := p.attempts[name]
	if c == nil {
		c = &course{}
		p.attempts[name] = c
	}
	c.heard = now
	return c
}

// note notes how far an attempt is: as a whole, and in what it does now. media is the
// source's length, where that is known.
func (p *progress) note(name engine.Name, ratio float64, is noted, media time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.of(name, now)
	if c.now.stage == jobs.StageStore && is.stage == jobs.StageTranscode {
		return // its supervisor has not seen yet that all is pushed
	}
	if c.now.stage == jobs.StagePackage && is.stage != jobs.StagePackage {
		return // nothing comes behind that
	}
	if c.now.stage != is.stage {
		c.samples, c.since = nil, now
	}
	if is.done < c.now.done {
		c.samples = nil // it began again
	}
	if is.stage == jobs.StageFetch {
		c.size = is.of
	}
	c.media = max(c.media, media)
	c.news = c.news || c.ratio < ratio || c.now != is
	c.ratio, c.now = max(c.ratio, ratio), is
	c.samples = c.samples.Add(now, float64(is.done))
}

// push notes how much of a rendition is pushed.
func (p *progress) push(name engine.Name, rendition string, ms int64, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pushed == nil {
		p.pushed = map[pushedOf]int64{}
	}
	p.pushed[pushedOf{name, rendition}] = ms
	p.of(name, now).news = true // what is told of a rendition is told with its transcode's
}

// transcoded is how far an attempt is whose process runs: as far as its renditions on the
// mean. Once all are pushed it stores.
func transcoded(whole int64, renditions []dbsqlc.Rendition) noted {
	sum, pushing := int64(0), false
	for _, r := range renditions {
		switch r.State {
		case jobs.RenditionPushed, jobs.RenditionOK:
			sum += whole
		default:
			sum += min(r.PushedMs, whole)
			pushing = pushing || r.State != jobs.RenditionFailed
		}
	}
	if !pushing {
		return noted{stage: jobs.StageStore, unit: jobs.UnitBytes}
	}
	return noted{jobs.StageTranscode, sum / int64(max(len(renditions), 1)), whole, jobs.UnitMS}
}

func mediaOf(t *dbsqlc.Transcode) time.Duration {
	if t.SourceDurationMs == nil {
		return 0
	}
	return time.Duration(*t.SourceDurationMs) * time.Millisecond
}

// sending are the files of an attempt as one of them begins to be sent.
type sending struct {
	transcode  *dbsqlc.Transcode
	renditions []dbsqlc.Rendition
	// sizes are of all that are stored or to be stored.
	sizes map[string]int64
}

// sends notes how much of the store's file is sent. What is sent in one piece is stored before
// anybody could be told.
func (s *store) sends(ctx context.Context) func(done, total int64) {
	var all *sending
	return func(done, total int64) {
		if all == nil && done >= total {
			return
		}
		if all == nil {
			var err error
			if all, err = s.sending(ctx); err != nil {
				s.log.InfoContext(ctx, "progress not told", "why", err)
				return
			}
		}
		s.host.progress.send(s.name, all, s.rendition.Name, done, s.host.clock.now())
	}
}

// sending reads what there is to send beside the store's own file.
func (s *store) sending(ctx context.Context) (*sending, error) {
	renditions, err := dbsqlc.New().RenditionList(ctx, s.host.DB, s.name.Transcode)
	if err != nil {
		return nil, fmt.Errorf("list the renditions of %s: %w", s.name, err)
	}
	all := &sending{transcode: &s.transcode, renditions: renditions, sizes: map[string]int64{}}
	for _, r := range renditions {
		if r.ObjectBytes != nil {
			all.sizes[r.Name] = *r.ObjectBytes
			continue
		}
		all.sizes[r.Name] = max(fileBytes(s.host.finishedPath(s.name, r.Name)), fileBytes(s.host.pushedPath(s.name, r.Name)))
	}
	return all, nil
}

// send notes how much of a file is sent, beside what is known of the others.
func (p *progress) send(name engine.Name, all *sending, rendition string, bytes int64, now time.Time) {
	p.mu.Lock()
	c := p.of(name, now)
	if c.sent == nil {
		c.sent = map[string]int64{}
	}
	c.sent[rendition] = bytes
	is, parts, pushing := noted{stage: jobs.StageStore, unit: jobs.UnitBytes}, map[string]float64{}, false
	for _, r := range all.renditions {
		size, sent := all.sizes[r.Name], c.sent[r.Name]
		if r.State == jobs.RenditionOK {
			sent = size
		}
		is.done, is.of = is.done+min(sent, size), is.of+size
		parts[r.Name] = float64(min(sent, size)) / float64(max(size, 1))
		pushing = pushing || r.State == jobs.RenditionExpected || r.State == jobs.RenditionPushing
	}
	was := c.now
	p.mu.Unlock()
	if pushing { // it is but one that was through before the others
		is = was
	}
	p.note(name, jobs.RatioOf(all.transcode, jobs.AttemptTranscoded, all.renditions, parts), is, mediaOf(all.transcode), now)
}

// forget drops an attempt that has nothing more to tell.
func (p *progress) forget(name engine.Name) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.attempts, name)
}

// take gives what is to be told.
func (p *progress) take(now time.Time) (told dbsqlc.TranscodeTellParams, some bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, c := range p.attempts {
		if now.Sub(c.heard) > forgetAfter {
			delete(p.attempts, name)
			continue
		}
		if !c.news {
			continue
		}
		c.news = false
		text, err := json.Marshal(c.tell(name, &p.past, now))
		if err != nil {
			return told, false, fmt.Errorf("write down the progress of %s: %w", name, err)
		}
		told.Transcodes = append(told.Transcodes, name.Transcode)
		told.Attempts = append(told.Attempts, int32(name.Attempt))
		told.Ratios = append(told.Ratios, c.ratio)
		told.Progresses = append(told.Progresses, string(text))
	}
	for of, ms := range p.pushed {
		told.Of, told.OfAttempts = append(told.Of, of.name.Transcode), append(told.OfAttempts, int32(of.name.Attempt))
		told.Names, told.Pushed = append(told.Names, of.rendition), append(told.Pushed, ms)
	}
	p.pushed = nil
	return told, len(told.Transcodes) > 0, nil
}

// tell is what is told of an attempt.
func (c *course) tell(name engine.Name, past *dbsqlc.AttemptPaceRow, now time.Time) jobs.Progress {
	told := jobs.Progress{
		Attempt: int32(name.Attempt), Stage: c.now.stage, Done: c.now.done, Of: c.now.of, Unit: c.now.unit, At: now,
	}
	e, known := pace.Of(c.samples, float64(c.now.of), now)
	if known && c.now.unit == jobs.UnitMS {
		told.Speed = new(math.Round(e.Rate) / millisecondsASecond) // a thousandth is as fine as it is true
	}
	if left, known := c.left(e, known, past, now); known {
		told.EndsAt = new(now.Add(left).Round(time.Millisecond))
	}
	return told
}

const millisecondsASecond = 1000

// left is how long the whole will take from now: the rest of this stage by how it goes,
// and the stages behind it by how long they took the last transcodes here.
func (c *course) left(e pace.Estimate, known bool, past *dbsqlc.AttemptPaceRow, now time.Time) (time.Duration, bool) {
	behind := func(each, amount float64) time.Duration { return time.Duration(each * amount * float64(time.Second)) }
	switch c.now.stage {
	case jobs.StageFetch:
		return e.Left + behind(past.ByteFetched, float64(c.size)), known && past.ByteFetched > 0
	case jobs.StagePrepare:
		return e.Left + behind(past.SecondPrepared, c.media.Seconds()), known && past.SecondPrepared > 0
	case jobs.StageTranscode:
		// What is behind is short beside it: unknown, it is left out.
		return e.Left + behind(past.SecondPushed, c.media.Seconds()), known
	default:
		if known {
			return e.Left, true
		}
		// Files are finished and judged before a byte of them is sent.
		left := behind(past.SecondPushed, c.media.Seconds()) - now.Sub(c.since)
		return max(left, 0), past.SecondPushed > 0
	}
}

// tell writes down how far this host's attempts are. Nothing depends on it.
func (h *Host) tell(ctx context.Context) error {
	told, some, err := h.progress.take(h.clock.now())
	if err != nil || !some {
		return err
	}
	if err := dbsqlc.New().TranscodeTell(ctx, h.DB, told); err != nil {
		return fmt.Errorf("tell the progress of host %s: %w", h.ID, err)
	}
	return h.lookBack(ctx)
}

// lookBack reads, now and then, how long this host's last transcodes took: what is behind a
// stage will take about as long.
func (h *Host) lookBack(ctx context.Context) error {
	h.progress.mu.Lock()
	due := time.Since(h.progress.pastAt) >= paceEvery
	h.progress.mu.Unlock()
	if !due {
		return nil
	}
	past, err := dbsqlc.New().AttemptPace(ctx, h.DB, h.ID)
	if err != nil {
		return fmt.Errorf("read how long the transcodes of host %s took: %w", h.ID, err)
	}
	h.progress.mu.Lock()
	defer h.progress.mu.Unlock()
	h.progress.past, h.progress.pastAt = past, time.Now()
	return nil
}
