package host

import (
	"context"

	"weir/engine"
	"weir/jobs/host/outputs"
	"weir/media"
	"weir/storage"
)

// Engine transcodes for a host: it reads a prepared file, has its renditions made, and
// writes each into a file of the spool. Everything that it is told may be told again, and
// nothing that it says is proof: files are judged. Package enginetest holds what a host
// relies on.
type Engine interface {
	// Info asks who it is; it is the health check too.
	Info(ctx context.Context) (engine.Info, error)
	// Listen has its triggers posted to url, and says whether they were not.
	Listen(ctx context.Context, url string) (changed bool, err error)
	// PlanSize plans the size of a rendition. It is pure.
	PlanSize(source, box engine.Size) engine.SizePlan

	EngineWork
	EngineSight
	EngineLog
}

// EngineWork is what an Engine does for an attempt.
type EngineWork interface {
	// Add tells it of an attempt and of the prepared file that it reads.
	Add(ctx context.Context, name engine.Name, prepared string) error
	// Start starts the process of an attempt that was added.
	Start(ctx context.Context, task *engine.Task) (engine.Process, error)
	// Attach takes up a process by what its String was. One that is gone is not alive.
	Attach(process string) (engine.Process, error)
	// Push writes the track of a rendition into the file at path, from its first frame and
	// not beyond stopMS; engine.ErrPushNotStarted: it did not begin. The same push again
	// is that push.
	Push(ctx context.Context, name engine.Name, path string, track int, stopMS int64) (id int, err error)
	// StopPush ends a push of a Look.
	StopPush(ctx context.Context, id int) error
	// Remove ends what runs of an attempt and forgets it. It goes on in the background.
	Remove(ctx context.Context, name engine.Name) error
}

// EngineSight is what can be seen of it.
type EngineSight interface {
	// Look is what runs now, of these attempts or of all.
	Look(ctx context.Context, names ...engine.Name) (engine.Look, error)
	// Added lists the attempts that it was told of and has not forgotten.
	Added(ctx context.Context) ([]engine.Name, error)
	// Find lists the processes that run on this machine, whoever started them.
	Find() ([]engine.Found, error)
	// InUse are the attempts that a program works for, on this machine.
	InUse() (map[engine.Name]bool, error)
	// Memory lists the shared memory of attempts on this machine.
	Memory() ([]engine.Memory, error)
}

// EngineLog is the log of the process that works, or worked, in a folder.
type EngineLog interface {
	// Log reads it. One that is not there says nothing.
	Log(folder string) (engine.Log, error)
	// Tracks are those that came back, as it tells.
	Tracks(folder string) ([]engine.Track, error)
	// LastWords are its end, about so many bytes, free of secrets.
	LastWords(folder string, most int64) (string, error)
	// TrimLog bounds it.
	TrimLog(folder string) error
}

// Media is what a host has done to files: [media.Tools].
type Media interface {
	Probe(ctx context.Context, path string) (media.Source, error)
	Prepare(ctx context.Context, source media.Source, in, outDir string, opts media.Options) (media.Prepared, error)
	// Follow decodes and finishes a push while it is written; nil: it does not.
	Follow(ctx context.Context, pushed media.Pushed, out string) *media.Following
	Sound(ctx context.Context, from string, source media.Source, prepared media.Prepared) error
	Finish(ctx context.Context, pushed media.Pushed, out string) (*media.Listed, error)
	Judge(ctx context.Context, path string, want media.Want) (media.Verdict, error)
	CheckPictures(ctx context.Context, prepared media.Prepared) error
}

// Storage is where sources come from, and files go to: [storage.Client].
type Storage interface {
	outputs.Store

	Fetch(ctx context.Context, from storage.Location, path string, opt storage.FetchOptions) (storage.Fetched, error)
	// CheckNames says whether objects can have their names, TryWrite whether they can be
	// written to a folder.
	CheckNames(objects ...storage.Location) error
	TryWrite(ctx context.Context, folder storage.Location, objects ...storage.Location) error
	Delete(ctx context.Context, object storage.Location) error
	DeleteFolder(ctx context.Context, folder storage.Location) (removed int, err error)
	AbortUploads(ctx context.Context, object storage.Location) (aborted int, err error)
}
