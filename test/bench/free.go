package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"weir/engine"
	"weir/jobs/host"
	"weir/media"
	"weir/mist"
	"weir/storage"
)

// What is free costs nothing: it says what the real one says of a source of 20 s in three
// renditions, at once. The files are there, as a host looks for them, and hold next to nothing.
const (
	freeMS     = 20_000
	freeFrames = 600
	freeFile   = "a file that costs nothing"
	// freeSlow is by how much what is held is slower than real time.
	freeSlow = 10
)

var (
	_ host.Engine  = (*freeEngine)(nil)
	_ host.Media   = freeMedia{}
	_ host.Storage = freeStorage{}
)

// freeMedia is media's tools.
type freeMedia struct{}

func (freeMedia) Probe(context.Context, string) (media.Source, error) {
	return media.Source{
		Container: "mov,mp4,m4a,3gp,3g2,mj2", Bytes: int64(len(freeFile)), DurationUS: freeMS * 1000, VideoTracks: 1,
		Video: media.Video{Codec: "h264", PixFmt: "yuv420p", Width: 1280, Height: 720, CodedWidth: 1280, CodedHeight: 720,
			Rate: media.Rate{Num: 30, Den: 1}, Frames: freeFrames, BitRate: 3_000_000},
	}, nil
}

func (freeMedia) Prepare(_ context.Context, s media.Source, in, _ string, _ media.Options) (media.Prepared, error) {
	return media.Prepared{
		Path: in, StopMS: freeMS, EndMS: freeMS, SegmentMS: 2000, Bytes: s.Bytes, Frames: freeFrames, DurationUS: s.DurationUS, Segments: 10,
		Width: s.Video.Width, Height: s.Video.Height, ClockFPS: 30, RateScale: 1, Rate: s.Video.Rate,
	}, nil
}

func (freeMedia) Follow(context.Context, media.Pushed, string) *media.Following { return nil }

func (freeMedia) Sound(context.Context, string, media.Source, media.Prepared) error { return nil }

func (freeMedia) Finish(_ context.Context, _ media.Pushed, out string) (*media.Listed, error) {
	return nil, leave(out)
}

func (freeMedia) Judge(_ context.Context, _ string, want media.Want) (media.Verdict, error) {
	return media.Verdict{
		OK: true, Problems: []media.Problem{}, Frames: freeFrames, Decoded: freeFrames, DurationMS: freeMS, Width: want.Width, Height: want.Height,
		Rate: want.Source.Video.Rate, Codec: "h264", BitRate: want.BitRate, Bytes: int64(len(freeFile)),
	}, nil
}

func (freeMedia) CheckPictures(context.Context, media.Prepared) error { return nil }

// freeStorage is a storage.
type freeStorage struct{}

func (freeStorage) Fetch(_ context.Context, from storage.Location, path string, opt storage.FetchOptions) (storage.Fetched, error) {
	bytes := int64(len(freeFile))
	if opt.OnProgress != nil {
		opt.OnProgress(bytes, bytes)
	}
	return storage.Fetched{Bytes: bytes, ETag: `"free"`, Identity: from.Key()}, leave(path)
}

func (freeStorage) Upload(_ context.Context, _ storage.Location, path string, opt storage.UploadOptions) (storage.Object, error) {
	checksum, err := storage.Checksum(path)
	bytes := int64(len(freeFile))
	if opt.OnProgress != nil {
		opt.OnProgress(bytes, bytes)
	}
	return storage.Object{Bytes: bytes, ETag: `"free"`, Checksum: checksum}, err
}

func (freeStorage) Verify(context.Context, storage.Location, storage.Object) error { return nil }

func (freeStorage) Look(context.Context, storage.Location) (storage.Present, error) {
	return storage.Present{}, nil
}

func (freeStorage) CheckNames(...storage.Location) error { return nil }

func (freeStorage) TryWrite(context.Context, storage.Location, ...storage.Location) error { return nil }

func (freeStorage) Delete(context.Context, storage.Location) error { return nil }

func (freeStorage) DeleteFolder(context.Context, storage.Location) (int, error) { return 0, nil }

func (freeStorage) AbortUploads(context.Context, storage.Location) (int, error) { return 0, nil }

func leave(path string) error { return os.WriteFile(path, []byte(freeFile), 0o600) }

// freeEngine is a Mist that tells of two lists of tracks once it is started, and writes each
// file at once, of which it posts what Mist posts.
type freeEngine struct {
	triggers http.Handler
	marks    *marks
	failed   func(error)
	gate     *gate

	next     atomic.Int64
	mu       sync.Mutex
	attempts map[engine.Name]*freeAttempt
}

// freeAttempt is one that was added.
type freeAttempt struct {
	engine  *freeEngine
	name    engine.Name
	folder  string
	id      int
	pushes  map[int]engine.Push
	open    int // renditions that are not pushed
	begun   time.Time
	started bool
	alive   bool
}

// gate holds what is pushed while it is shut: its lifecycles stay at running.
type gate struct {
	mu   sync.Mutex
	held chan struct{} // nil: open
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held == nil {
		g.held = make(chan struct{})
	}
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.held != nil {
		close(g.held)
		g.held = nil
	}
}

func (g *gate) isShut() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.held != nil
}

// wait waits until it is open.
func (g *gate) wait() {
	g.mu.Lock()
	held := g.held
	g.mu.Unlock()
	if held != nil {
		<-held
	}
}

func (*freeEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{Version: "free", IID: "1"}, nil
}

func (*freeEngine) Listen(context.Context, string) (bool, error) { return false, nil }

func (*freeEngine) PlanSize(source, box engine.Size) engine.SizePlan {
	return (*mist.Engine)(nil).PlanSize(source, box)
}

func (e *freeEngine) Add(_ context.Context, name engine.Name, _ string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.attempts[name] == nil {
		e.attempts[name] = &freeAttempt{engine: e, name: name, pushes: map[int]engine.Push{}}
	}
	return nil
}

func (e *freeEngine) Start(_ context.Context, task *engine.Task) (engine.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[task.Name]
	if a == nil {
		return nil, errors.New("it was not added")
	}
	a.folder, a.id, a.open, a.begun, a.started, a.alive = task.Folder, int(e.next.Add(1)), len(task.Profiles), time.Now(), true, true
	e.marks.mark(task.Name.Transcode, markStarted)
	renditions := len(task.Profiles)
	go func() {
		for _, tracks := range []int{1, renditions} {
			e.post(string(mist.TriggerLiveTrackList), listBody(a.name, tracks))
		}
	}()
	return a, nil
}

// trackList is of the first of an attempt's renditions, as long as Mist's.
func trackList(tracks int) string {
	var list []string
	for i := range tracks {
		list = append(list, fmt.Sprintf(`"video_H264_640x360_30fps_%d":{"bps":39273,"codec":"H264","codecstring":"avc1.42c00d","firstms":23,"fpks":30000,`+
			`"height":360,"idx":%d,"init":"\u0001B\u00C0\r\u00FF\u00E1\u0000\u001AgB\u00C0\r\u00DA\u0005\u0005\u00EF\u00FC\u0000\u00B0","jitter":200,`+
			`"lastms":3990,"maxbps":39273,"trackid":%d,"type":"video","width":640}`, i, i, i<<16+256))
	}
	return "{" + strings.Join(list, ",") + "}\n"
}

func (e *freeEngine) Attach(process string) (engine.Process, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, a := range e.attempts {
		if a.String() == process {
			return a, nil
		}
	}
	return nil, fmt.Errorf("no process %q", process)
}

func (e *freeEngine) Push(_ context.Context, name engine.Name, path string, _ int, _ int64) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.attempts[name]
	if a == nil {
		return 0, engine.ErrPushNotStarted
	}
	rendition, _ := engine.RenditionOf(path)
	for id, push := range a.pushes {
		if push.Rendition == rendition {
			return id, nil
		}
	}
	id := int(e.next.Add(1))
	a.pushes[id] = engine.Push{ID: id, Name: name, Rendition: rendition}
	go e.record(a, id, path)
	return id, nil
}

// record is a push, from its begin to its end.
func (e *freeEngine) record(a *freeAttempt, id int, path string) {
	e.gate.wait()
	if err := leave(path); err != nil {
		e.failed(err)
		return
	}
	e.mu.Lock()
	if a.open--; a.open == 0 {
		e.marks.mark(a.name.Transcode, markPushed)
	}
	e.mu.Unlock()
	stream := mist.Name(a.name).Rendition()
	e.post(string(mist.TriggerRecordingEnd), fmt.Sprintf("%s\n%s\nHTTPTS\n%d\n7\n1795354931\n1795354938\n%d\n23\n%d\nCLEAN_INTENDED_STOP\nplanned stopping point reached\n",
		stream, path, len(freeFile), freeMS, freeMS+23))
	e.mu.Lock()
	delete(a.pushes, id)
	e.mu.Unlock()
	target := path + "?video=0&audio=none&recstart=-1&waittrackcount=1&recstop=20000"
	e.post(string(mist.TriggerPushEnd), fmt.Sprintf("%d\n%s\n%s\n%s\n[[1795354931,\"INFO\",\"Recording will stop at timestamp 20000 ms\",\"%s\"]]\n{\"bytes\":%d,\"mediatime\":%d}\n",
		id, stream, target, target, stream, len(freeFile), freeMS))
}

// post hands a trigger to its listener as an HTTP server would.
func (e *freeEngine) post(trigger, body string) {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:1"
	req.Header = triggerHeader(trigger)
	answer := httptest.NewRecorder()
	began := time.Now()
	e.triggers.ServeHTTP(answer, req)
	e.marks.trigger(time.Since(began))
	if answer.Code != http.StatusOK {
		e.failed(fmt.Errorf("%s: HTTP %d: %s", trigger, answer.Code, answer.Body))
	}
}

func (*freeEngine) StopPush(context.Context, int) error { return nil }

func (e *freeEngine) Remove(_ context.Context, name engine.Name) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.attempts, name)
	return nil
}

func (e *freeEngine) Look(_ context.Context, names ...engine.Name) (engine.Look, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	look := engine.Look{Running: map[engine.Name]bool{}, NewestMS: map[engine.Name]int64{}, Processes: map[int]engine.Report{}}
	see := func(a *freeAttempt) {
		// What is held goes on and on, without coming to its end.
		media := int64(freeMS)
		if len(a.pushes) > 0 && e.gate.isShut() {
			media = min(freeMS-1, time.Since(a.begun).Milliseconds()/freeSlow)
		}
		look.Running[a.name], look.NewestMS[a.name] = a.alive, media
		for _, push := range a.pushes {
			push.MediaMS = media
			look.Pushes = append(look.Pushes, push)
		}
		look.Processes[a.id] = engine.Report{SentMS: freeMS, ReceivedMS: freeMS}
	}
	if len(names) == 0 {
		for _, a := range e.attempts {
			see(a)
		}
	}
	for _, name := range names {
		if a := e.attempts[name]; a != nil {
			see(a)
		}
	}
	return look, nil
}

func (e *freeEngine) Added(context.Context) ([]engine.Name, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var names []engine.Name
	for name := range e.attempts {
		names = append(names, name)
	}
	return names, nil
}

func (e *freeEngine) Find() ([]engine.Found, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []engine.Found
	for _, a := range e.attempts {
		if a.alive {
			found = append(found, engine.Found{Process: a, Folder: a.folder})
		}
	}
	return found, nil
}

func (e *freeEngine) InUse() (map[engine.Name]bool, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	used := map[engine.Name]bool{}
	for name, a := range e.attempts {
		used[name] = a.alive
	}
	return used, nil
}

func (*freeEngine) Memory() ([]engine.Memory, error) { return nil, nil }

func (*freeEngine) Log(string) (engine.Log, error) {
	return engine.Log{Reading: true, Posted: true}, nil
}

func (*freeEngine) Tracks(string) ([]engine.Track, error) { return nil, nil }

func (*freeEngine) LastWords(string, int64) (string, error) { return "", nil }

func (*freeEngine) TrimLog(string) error { return nil }

func (a *freeAttempt) String() string { return filepath.Base(a.folder) }

func (a *freeAttempt) ID() int { return a.id }

func (a *freeAttempt) Alive() bool {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	return a.alive
}

func (*freeAttempt) End(context.Context) (engine.End, error) {
	return engine.End{Text: "exit status 0"}, nil
}

func (a *freeAttempt) Terminate(context.Context, time.Duration) (bool, error) {
	a.engine.mu.Lock()
	defer a.engine.mu.Unlock()
	a.alive = false
	return true, nil
}

func (a *freeAttempt) Kill(ctx context.Context) error {
	_, err := a.Terminate(ctx, 0)
	return err
}

func (a *freeAttempt) Stop(ctx context.Context, grace time.Duration) error {
	_, err := a.Terminate(ctx, grace)
	return err
}

// event is what is marked of a lifecycle.
type event int

const (
	markPosted  event = iota // its request is sent
	markTaken                // its request is answered
	markStarted              // its process starts
	markPushed               // its last push has written its file
	markTold                 // its callback is there
	markCount
)

// course is when each was.
type course [markCount]time.Time

// marks are the courses of lifecycles, by what only they know of each other: a transcode's id.
type marks struct {
	mu       sync.Mutex
	courses  map[uuid.UUID]*course
	triggers []time.Duration
	// off: nobody takes them, so nothing is marked.
	off bool
}

func (m *marks) mark(id uuid.UUID, of event) { m.markAt(id, of, time.Now()) }

func (m *marks) markAt(id uuid.UUID, of event, at time.Time) {
	if m.off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.courses == nil {
		m.courses = map[uuid.UUID]*course{}
	}
	c := m.courses[id]
	if c == nil {
		c = &course{}
		m.courses[id] = c
	}
	if c[of].IsZero() {
		c[of] = at
	}
}

// trigger marks how long the answer to a trigger took.
func (m *marks) trigger(took time.Duration) {
	if m.off {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.triggers = append(m.triggers, took)
}

// take gives what was marked, and begins anew.
func (m *marks) take() (courses map[uuid.UUID]*course, triggers []time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	courses, triggers = m.courses, m.triggers
	m.courses, m.triggers = nil, nil
	return courses, triggers
}

// spans are the times between things that follow each other, of all lifecycles that have both.
type spans struct{ accepted, started, told, triggers []time.Duration }

// spans takes what was marked.
func (m *marks) spans() (s spans) {
	courses, triggers := m.take()
	between := func(from, to event) (all []time.Duration) {
		for _, c := range courses {
			if !c[from].IsZero() && !c[to].IsZero() {
				// What is done before the answer is read took no time.
				all = append(all, max(0, c[to].Sub(c[from])))
			}
		}
		return all
	}
	return spans{between(markPosted, markTaken), between(markTaken, markStarted), between(markPushed, markTold), triggers}
}

// join puts those of another time to them.
func (s *spans) join(other spans) {
	s.accepted = append(s.accepted, other.accepted...)
	s.started = append(s.started, other.started...)
	s.told = append(s.told, other.told...)
	s.triggers = append(s.triggers, other.triggers...)
}

// share is what so many of a hundred are within, in seconds.
func share(took []time.Duration, of int) float64 {
	if len(took) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(took))
	return sorted[min(len(sorted)*of/100, len(sorted)-1)].Seconds() //nolint:mnd // of a hundred
}

// tellMarks tells how soon things followed each other while the load was on: what waits for a
// processor is in it.
func (b *bench) tellMarks(m *marks) {
	took := m.spans()
	for _, s := range []struct {
		name string
		took []time.Duration
	}{
		{"a request is answered", took.accepted}, {"accepted -> process started", took.started},
		{"a trigger is answered", took.triggers}, {"last push over -> callback there", took.told},
	} {
		if len(s.took) > 0 {
			b.add("  "+s.name+", 50 of 100", "s", "", 0, share(s.took, 50)) //nolint:mnd // the half
			b.add("  "+s.name+", 99 of 100", "s", "", 0, share(s.took, 99)) //nolint:mnd // all but the slowest
		}
	}
}
