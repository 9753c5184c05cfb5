// Package enginetest holds what a host relies on of its Engine: one suite for each that
// there is.
package enginetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"weir/engine"
	"weir/jobs/host"
)

const (
	// patience bounds a wait: a short source is through in seconds, on a machine that may
	// be busy with other tests.
	patience = 3 * time.Minute
	// lookEvery is as often as a host looks for what it can't be told.
	lookEvery = 100 * time.Millisecond
	// stopGrace is what a process gets to end by itself.
	stopGrace = 10 * time.Second
	// words is how much of a log's end is read.
	words = 600
)

// Rig is an Engine with all that it needs around it.
type Rig struct {
	Engine host.Engine
	// Spool is a folder that the Engine may read and write.
	Spool string
	// Prepare makes a source of a few seconds, 1280x720, into a file in folder as media
	// does, and says where pushes of it stop.
	Prepare func(t *testing.T, folder string) (path string, stopMS int64)
	// Task has what reaches the renderers: Broadcasters, or an AccessToken.
	Task engine.Task
	// Hidden is a text that the Engine was told to show nowhere.
	Hidden string
}

// Run runs the suite.
func Run(t *testing.T, rig *Rig) {
	t.Helper()
	t.Run("tells who it is", rig.info)
	t.Run("listens once", rig.listen)
	t.Run("plans sizes", rig.sizes)
	t.Run("knows nothing of what it was not told", rig.nothing)
	t.Run("transcodes", rig.transcodes)
	t.Run("stops", rig.stops)
}

func (r *Rig) info(t *testing.T) {
	first, err := r.Engine.Info(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, first.Version)
	require.NotEmpty(t, first.IID)
	again, err := r.Engine.Info(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, again)
}

func (r *Rig) listen(t *testing.T) {
	const url = "http://127.0.0.1:9/weir/triggers/enginetest"
	changed, err := r.Engine.Listen(t.Context(), url)
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = r.Engine.Listen(t.Context(), url)
	require.NoError(t, err)
	require.False(t, changed, "the second time it does already")
}

func (r *Rig) sizes(t *testing.T) {
	source := engine.Size{Width: 1280, Height: 720}
	for _, box := range []engine.Size{{Width: 640, Height: 360}, {Width: 640, Height: 480}, {Width: 360, Height: 640}, {Width: 854, Height: 480}, {Width: 2, Height: 2}} {
		plan := r.Engine.PlanSize(source, box)
		require.Equal(t, plan, r.Engine.PlanSize(source, box), "it is pure")
		require.True(t, plan.Clamped || plan.Got.Width <= plan.Box.Width && plan.Got.Height <= plan.Box.Height, "%+v", plan)
		require.Zero(t, plan.Got.Width%2+plan.Got.Height%2, "%+v", plan)
		require.True(t, plan.Got == plan.Box || plan.Turned || plan.Aspect || plan.Stepped || plan.Clamped, "%+v", plan)
	}
	require.Equal(t, source, r.Engine.PlanSize(source, source).Got)
}

func (r *Rig) nothing(t *testing.T) {
	name, folder := r.attempt(t)
	look, err := r.Engine.Look(t.Context(), name)
	require.NoError(t, err)
	require.False(t, look.Running[name])
	added, err := r.Engine.Added(t.Context())
	require.NoError(t, err)
	require.NotContains(t, added, name)
	used, err := r.Engine.InUse()
	require.NoError(t, err)
	require.False(t, used[name])
	log, err := r.Engine.Log(folder)
	require.NoError(t, err)
	require.Zero(t, log)
	_, err = r.Engine.Push(t.Context(), name, filepath.Join(folder, engine.File("a")), 0, 1000)
	require.ErrorIs(t, err, engine.ErrPushNotStarted)
	for range 2 {
		require.NoError(t, r.Engine.Remove(t.Context(), name))
	}
	_, err = r.Engine.Attach("no process")
	require.Error(t, err)
}

// transcodes brings two renditions of a source into files.
func (r *Rig) transcodes(t *testing.T) {
	name, folder := r.attempt(t)
	source, stopMS := r.Prepare(t, folder)
	process := r.start(t, name, folder, source)
	found := r.find(t, folder)
	require.Equal(t, process.String(), found.String())
	attached, err := r.Engine.Attach(process.String())
	require.NoError(t, err)
	require.Equal(t, process.ID(), attached.ID())
	added, err := r.Engine.Added(t.Context())
	require.NoError(t, err)
	require.Contains(t, added, name)

	pushed := map[int32]int{}
	r.await(t, "both renditions to come back", func(ctx context.Context) bool {
		tracks, err := r.Engine.Tracks(folder)
		require.NoError(t, err)
		for _, track := range tracks {
			if _, known := pushed[track.Ordinal]; known {
				continue
			}
			id, err := r.Engine.Push(ctx, name, r.file(folder, track.Ordinal), track.Index, stopMS)
			require.NoError(t, err)
			again, err := r.Engine.Push(ctx, name, r.file(folder, track.Ordinal), track.Index, stopMS)
			require.NoError(t, err)
			require.Equal(t, id, again, "the same push again is that push")
			pushed[track.Ordinal] = id
		}
		return len(pushed) == len(profiles())
	})
	used, err := r.Engine.InUse()
	require.NoError(t, err)
	require.True(t, used[name])
	look, err := r.Engine.Look(t.Context(), name)
	require.NoError(t, err)
	require.True(t, look.Running[name])
	for _, push := range look.Pushes {
		if push.Name == name {
			require.Contains(t, []string{"0", "1"}, push.Rendition)
		}
	}

	r.await(t, "the pushes to be over", func(ctx context.Context) bool {
		look, err := r.Engine.Look(ctx, name)
		require.NoError(t, err)
		return !slices.ContainsFunc(look.Pushes, func(p engine.Push) bool { return p.Name == name })
	})
	for ordinal := range pushed {
		info, err := os.Stat(r.file(folder, ordinal))
		require.NoError(t, err)
		require.Positive(t, info.Size())
	}
	log, err := r.Engine.Log(folder)
	require.NoError(t, err)
	require.True(t, log.Posted)
	require.False(t, log.Hung || log.GaveUp || log.Full || log.Rejected != "", "%+v", log)
	r.clean(t, name, folder, process)

	end, err := process.End(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, end.Text)
	text, err := r.Engine.LastWords(folder, words)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	require.LessOrEqual(t, len(text), 2*words, "what is hidden may make it longer")
	require.NotContains(t, text, r.Hidden)
	require.NoError(t, r.Engine.TrimLog(folder))
	memory, err := r.Engine.Memory()
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(memory, func(m engine.Memory) bool { return m.Name == name }), "%+v", memory)
}

// stops ends an attempt in the midst of it, and finds nothing of it afterwards; then the
// same attempt starts again.
func (r *Rig) stops(t *testing.T) {
	name, folder := r.attempt(t)
	source, _ := r.Prepare(t, folder)
	for range 2 {
		process := r.start(t, name, folder, source)
		require.True(t, process.Alive())
		r.clean(t, name, folder, process)
		attached, err := r.Engine.Attach(process.String())
		require.NoError(t, err)
		require.False(t, attached.Alive())
		gone, err := attached.Terminate(t.Context(), stopGrace)
		require.NoError(t, err)
		require.True(t, gone)
	}
}

func (r *Rig) attempt(t *testing.T) (name engine.Name, folder string) {
	t.Helper()
	name = engine.Name{Transcode: uuid.New(), Attempt: 1}
	folder = filepath.Join(r.Spool, name.String())
	require.NoError(t, os.Mkdir(folder, 0o755))
	return name, folder
}

func (r *Rig) file(folder string, ordinal int32) string {
	return filepath.Join(folder, engine.File(fmt.Sprint(ordinal)))
}

func profiles() []engine.Profile {
	return []engine.Profile{
		{Name: "0", Bitrate: 400_000, Width: 320, Height: 176},
		{Name: "1", Bitrate: 200_000, Width: 160, Height: 80},
	}
}

func (r *Rig) start(t *testing.T, name engine.Name, folder, source string) engine.Process {
	t.Helper()
	for range 2 { // again changes nothing
		require.NoError(t, r.Engine.Add(t.Context(), name, source))
	}
	task := r.Task
	task.Name, task.Folder, task.Profiles = name, folder, profiles()
	process, err := r.Engine.Start(t.Context(), &task)
	require.NoError(t, err)
	t.Cleanup(func() { _ = process.Stop(context.WithoutCancel(t.Context()), 0) })
	return process
}

func (r *Rig) find(t *testing.T, folder string) *engine.Found {
	t.Helper()
	running, err := r.Engine.Find()
	require.NoError(t, err)
	for _, found := range running {
		if found.Folder == folder {
			return &found
		}
	}
	require.FailNow(t, "the process is not found", "%+v", running)
	return nil
}

// clean ends all of an attempt, as a host does, and waits until nothing is left.
func (r *Rig) clean(t *testing.T, name engine.Name, folder string, process engine.Process) {
	t.Helper()
	require.NoError(t, process.Stop(t.Context(), stopGrace))
	require.False(t, process.Alive())
	look, err := r.Engine.Look(t.Context(), name)
	require.NoError(t, err)
	for _, push := range look.Pushes {
		if push.Name == name {
			require.NoError(t, r.Engine.StopPush(t.Context(), push.ID))
		}
	}
	require.NoError(t, r.Engine.Remove(t.Context(), name))
	r.await(t, "nothing to be left", func(ctx context.Context) bool {
		look, err := r.Engine.Look(ctx, name)
		require.NoError(t, err)
		used, err := r.Engine.InUse()
		require.NoError(t, err)
		return !look.Running[name] && !used[name] &&
			!slices.ContainsFunc(look.Pushes, func(p engine.Push) bool { return p.Name == name })
	})
	added, err := r.Engine.Added(t.Context())
	require.NoError(t, err)
	require.NotContains(t, added, name)
	running, err := r.Engine.Find()
	require.NoError(t, err)
	require.False(t, slices.ContainsFunc(running, func(f engine.Found) bool { return f.Folder == folder }))
}

func (r *Rig) await(t *testing.T, what string, so func(context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for !so(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			require.FailNow(t, "waited in vain for "+what)
		}
	}
}
