package mist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"weir/engine"
	"weir/secret"
)

// logLimit caps a process's log in the spool.
const logLimit = 4 << 20

// Engine is a MistServer, and MistProcLivepeer on its machine, as what transcodes for a
// host (host.Engine).
type Engine struct {
	Client *Client
	// BinDir is where MistProcLivepeer is.
	BinDir string
	// ShmDir is where Mist keeps its shared memory; "": ShmDir.
	ShmDir string
	// Hidden are texts that no log may show.
	Hidden []secret.Secret
}

// Info implements host.Engine.
func (e *Engine) Info(ctx context.Context) (engine.Info, error) {
	info, err := e.Client.Info(ctx)
	return engine.Info{Version: info.Version, IID: info.IID}, lasting(err)
}

// lasting marks what no waiting mends.
func lasting(err error) error {
	if errors.Is(err, ErrAuth) || errors.Is(err, ErrInvalid) {
		return fmt.Errorf("%w: %w", engine.ErrSettings, err)
	}
	return err
}

// Listen implements host.Engine. Registering reads first: it mends what a restarted or
// reconfigured controller lost.
func (e *Engine) Listen(ctx context.Context, url string) (changed bool, err error) {
	changed, err = e.Client.RegisterTriggers(ctx, url, listened(), nil)
	return changed, lasting(err)
}

// listened are the triggers that a host listens to.
func listened() []TriggerName {
	return []TriggerName{TriggerLiveTrackList, TriggerPushEnd, TriggerRecordingEnd, TriggerInputAbort, TriggerSegmentRejected}
}

// PlanSize implements host.Engine.
func (*Engine) PlanSize(source, box engine.Size) engine.SizePlan {
	p := PlanSize(Size(source), Size(box))
	return engine.SizePlan{
		Ask: engine.Size(p.Ask), Got: engine.Size(p.Got), Box: engine.Size(p.Box),
		Turned: p.Turned, Aspect: p.Aspect, Stepped: p.Stepped, Clamped: p.Clamped,
	}
}

// Add implements host.Engine.
func (e *Engine) Add(ctx context.Context, name engine.Name, prepared string) error {
	return e.Client.AddStreams(ctx, map[string]Stream{
		Name(name).Source(): SourceStream(prepared),
		RenditionBase:       RenditionStream(),
	})
}

// Start implements host.Engine. The log of a process before is set aside only now: until
// then it says why there is another one.
func (e *Engine) Start(ctx context.Context, task *engine.Task) (engine.Process, error) {
	if err := SetLogAside(logOf(task.Folder)); err != nil {
		return nil, err
	}
	spec := ProcessSpec{
		BinDir: e.BinDir, Dir: task.Folder, Name: Name(task.Name),
		Broadcasters: task.Broadcasters, AccessToken: task.AccessToken, CustomURL: task.CustomURL,
	}
	for _, p := range task.Profiles {
		spec.Profiles = append(spec.Profiles, Profile(p))
	}
	p, err := StartProcess(ctx, spec)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Attach implements host.Engine.
func (*Engine) Attach(process string) (engine.Process, error) {
	ref, err := ParseProcessRef(process)
	if err != nil {
		return nil, err
	}
	return Attach(ref), nil
}

// Find implements host.Engine.
func (e *Engine) Find() ([]engine.Found, error) {
	running, err := FindProcesses(e.BinDir)
	if err != nil {
		return nil, err
	}
	found := make([]engine.Found, len(running))
	for i, process := range running {
		found[i] = engine.Found{Process: Attach(process.ProcessRef), Folder: process.Dir}
	}
	return found, nil
}

// Push implements host.Engine.
func (e *Engine) Push(ctx context.Context, name engine.Name, path string, track int, stopMS int64) (id int, err error) {
	push, err := e.Client.StartPush(ctx, Name(name).Rendition(), PushTarget(path, track, stopMS))
	return push.PID, err
}

// StopPush implements host.Engine.
func (e *Engine) StopPush(ctx context.Context, id int) error { return e.Client.StopPush(ctx, id) }

// Remove implements host.Engine.
func (e *Engine) Remove(ctx context.Context, name engine.Name) error {
	return e.Client.RemoveStreams(ctx, Name(name).Source(), Name(name).Rendition())
}

// Look implements host.Engine. A stream that Mist lists as Offline has ended: it is a
// memory, for up to 30 s.
func (e *Engine) Look(ctx context.Context, names ...engine.Name) (engine.Look, error) {
	var streams []string
	for _, name := range names {
		streams = append(streams, Name(name).Source(), Name(name).Rendition())
	}
	status, err := e.Client.Status(ctx, streams...)
	if err != nil {
		return engine.Look{}, err
	}
	look := engine.Look{Running: map[engine.Name]bool{}, NewestMS: map[engine.Name]int64{}, Processes: map[int]engine.Report{}}
	for stream, s := range status.Streams {
		name, err := ParseName(stream)
		if err != nil {
			continue
		}
		if s.State != StreamOffline {
			look.Running[engine.Name(name)] = true
		}
		if stream == name.Rendition() {
			look.NewestMS[engine.Name(name)] = s.LastMS
		}
	}
	for _, push := range status.Pushes {
		name, err := ParseName(push.Stream)
		if err != nil {
			continue
		}
		path, _, _ := strings.Cut(push.Target, "?")
		rendition, _ := engine.RenditionOf(path)
		look.Pushes = append(look.Pushes, engine.Push{
			ID: push.PID, Name: engine.Name(name), Rendition: rendition, MediaMS: push.MediaMS,
		})
	}
	for pid, p := range status.Processes {
		look.Processes[pid] = engine.Report{SentMS: p.SourceMS, ReceivedMS: p.SinkMS, Broadcaster: p.Broadcaster}
	}
	return look, nil
}

// Added implements host.Engine.
func (e *Engine) Added(ctx context.Context) ([]engine.Name, error) {
	streams, err := e.Client.Streams(ctx)
	if err != nil {
		return nil, err
	}
	var names []engine.Name
	for _, stream := range streams {
		if name, err := ParseName(stream); err == nil && !slices.Contains(names, engine.Name(name)) {
			names = append(names, engine.Name(name))
		}
	}
	return names, nil
}

// InUse implements host.Engine.
func (*Engine) InUse() (map[engine.Name]bool, error) {
	used, err := NamesInUse()
	if err != nil {
		return nil, err
	}
	names := map[engine.Name]bool{}
	for name := range used {
		names[engine.Name(name)] = true
	}
	return names, nil
}

// Memory implements host.Engine. Where Mist keeps it elsewhere, it is none of ours.
func (e *Engine) Memory() ([]engine.Memory, error) {
	dir := e.ShmDir
	if dir == "" {
		dir = ShmDir
	}
	pages, err := FindPages(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	memory := make([]engine.Memory, len(pages))
	for i, page := range pages {
		memory[i] = engine.Memory{Path: page.Path, Name: engine.Name(page.Name), Bytes: page.Bytes, MadeAt: page.MadeAt}
	}
	return memory, nil
}

func logOf(folder string) string { return filepath.Join(folder, ProcessLogName) }

// Log implements host.Engine.
func (*Engine) Log(folder string) (engine.Log, error) {
	log, err := ReadProcessLog(logOf(folder))
	return engine.Log(log), err
}

// Tracks implements host.Engine.
func (*Engine) Tracks(folder string) ([]engine.Track, error) {
	found, err := TracksInLog(logOf(folder))
	if err != nil {
		return nil, err
	}
	tracks := make([]engine.Track, len(found))
	for i, track := range found {
		tracks[i] = engine.Track{Index: track.Index, Ordinal: int32(OrdinalOfTrack(track.TrackID))}
	}
	return tracks, nil
}

// LastWords implements host.Engine.
func (e *Engine) LastWords(folder string, most int64) (string, error) {
	return TailLog(logOf(folder), most, e.Hidden...)
}

// TrimLog implements host.Engine.
func (*Engine) TrimLog(folder string) error { return TrimLog(logOf(folder), logLimit) }

// ID implements engine.Process.
func (p *Process) ID() int { return p.PID }

// End implements engine.Process.
func (p *Process) End(ctx context.Context) (engine.End, error) {
	exit, err := p.Wait(ctx)
	if err != nil {
		return engine.End{}, err
	}
	return engine.End{Killed: exit.Known && exit.Signal != 0, Text: fmt.Sprintf("%s: %s", processProgram, exit)}, nil
}
