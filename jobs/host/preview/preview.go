// Package preview looks at what a request names, and says what would be made of it,
// without a row: it is what stands behind a dry run. It tells a caller no more of a place
// than a transcode would.
package preview

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"weir/engine"
	"weir/jobs"
	"weir/jobs/host"
	"weir/jobs/host/outputs"
	"weir/jobs/ladder"
	"weir/jobs/tenants"
	"weir/media"
	"weir/storage"
)

const (
	// part of a source is read at each of its ends: an index of three hours is smaller.
	part = 8 << 20
	// lookFor bounds one look, below the time that a request has.
	lookFor = 15 * time.Second
	// mostAtOnce, and of one tenant, bound what looks hold of the disk and of the network.
	mostAtOnce, mostOfTenant = 8, 2
)

// ErrBusy: there are too many looks at once.
var ErrBusy = errors.New("too many dry runs at once")

// Config is what New needs.
type Config struct {
	Storage *storage.Client
	// Stores are where s3:// leads.
	Stores *tenants.Stores
	// Media reads sources' headers; nil: nothing is said of what is in them.
	Media *media.Tools
	// Plan is the sizes' formula.
	Plan func(source, box engine.Size) engine.SizePlan
	// Dir is for parts of sources, of which no look leaves any.
	Dir string
}

// Previewer looks. It may be used by many at once.
type Previewer struct {
	cfg  Config
	mu   sync.Mutex
	busy map[string]int
	all  int
	keys keys
}

// New returns one.
func New(cfg *Config) *Previewer {
	return &Previewer{cfg: *cfg, busy: map[string]int{}, keys: keys{tried: map[[sha256.Size]byte]time.Time{}}}
}

// Found is what a look found out.
type Found struct {
	// Bytes of the source; nil: not told, or not reached.
	Bytes *int64
	// Glimpse is what its header says; nil: nobody could look.
	Glimpse *media.Glimpse
	// Source, Header and Output are what is in the way, in the words of a transcode that
	// fails so; nil: nothing is. A Header that can't be read from the source's two ends may
	// be readable from the whole.
	Source, Header, Output *jobs.Failure
	// Outputs are what is in the way of the request's, in their order.
	Outputs []*jobs.Failure
	// Profiles are the request's, or the default ladder's; none where that can't be told yet.
	Profiles []jobs.Profile
	// Sizes are the planned ones, in the order of the profiles; none where the source's is
	// not known.
	Sizes    []engine.Size
	Warnings []jobs.Warning
}

// Look looks at a checked request. ErrBusy: not now.
func (p *Previewer) Look(ctx context.Context, req *jobs.Request) (*Found, error) {
	if !p.enter(req.Tenant) {
		return nil, ErrBusy
	}
	defer p.leave(req.Tenant)
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	found := &Found{Warnings: []jobs.Warning{}}
	var group errgroup.Group
	group.Go(func() error { return p.source(ctx, req, found) })
	group.Go(func() error {
		p.output(ctx, req, found)
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if failure := outside(req.Clip, found.Glimpse); failure != nil && found.Source == nil {
		found.Source = failure
	}
	p.plan(req, found)
	return found, nil
}

func (p *Previewer) source(ctx context.Context, req *jobs.Request, found *Found) error {
	location, err := p.locate(ctx, req, req.SourceURL, tenants.Read)
	if failure, is := errors.AsType[*jobs.Failure](err); is {
		found.Source = failure
		return nil
	}
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	dir, err := os.MkdirTemp(p.cfg.Dir, "weir-preview-")
	if err != nil {
		return fmt.Errorf("preview: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "source")
	size, err := p.cfg.Storage.Peek(ctx, location, path, part)
	if err != nil {
		found.Source = failureOf(ctx, err, jobs.StageFetch, storage.CodeSourceUnreachable)
		return nil
	}
	if size >= 0 {
		found.Bytes = &size
	}
	if p.cfg.Media == nil {
		return nil
	}
	glimpse, err := p.cfg.Media.Glance(ctx, path)
	if err != nil {
		found.Header = failureOf(ctx, err, jobs.StageProbe, storage.CodeSourceUnreachable)
		return nil
	}
	found.Glimpse = &glimpse
	return nil
}

// outside is what becomes of a clip that begins behind the source's end, as its header says.
func outside(clip *jobs.Clip, source *media.Glimpse) *jobs.Failure {
	if clip == nil || clip.Clock != jobs.ClockSource || source == nil || source.DurationMS <= 0 || clip.StartMS < source.DurationMS {
		return nil
	}
	return jobs.Failed(string(media.CodeClipOutside), jobs.StageProbe, "").
		Telling(fmt.Sprintf("the clip begins at %d ms, and the source lasts %d", clip.StartMS, source.DurationMS))
}

// locate is where a location leads, which was checked before.
func (p *Previewer) locate(ctx context.Context, req *jobs.Request, url string, use tenants.Use) (storage.Location, error) {
	location, err := storage.ParseLocation(url)
	if err != nil {
		return location, err
	}
	return host.Lead(ctx, p.cfg.Stores, req.Tenant, location, use)
}

// output tries all places that the request names: the renditions' folder, and each output's.
func (p *Previewer) output(ctx context.Context, req *jobs.Request, found *Found) {
	names := []string{ladder.LongestName}
	if len(req.Profiles) > 0 {
		names = names[:0]
	}
	for _, profile := range req.Profiles {
		names = append(names, profile.Name)
	}
	const attempt = 1 // it is in the keys
	folder, err := p.locate(ctx, req, req.OutputURL, tenants.Write)
	objects := make([]storage.Location, len(names))
	for i, name := range names {
		objects[i] = folder.Join(uuid.Nil.String(), strconv.Itoa(attempt), engine.File(name))
	}
	tried := tries{}
	found.Output = p.try(ctx, tried, folder, objects, err, jobs.StageStore)
	for i := range req.Outputs {
		o := outputs.Output{Type: req.Outputs[i].Type}
		if o.Type == jobs.OutputTS {
			found.Outputs = append(found.Outputs, found.Output) // they are the renditions' files
			continue
		}
		o.Place, err = p.locate(ctx, req, req.Outputs[i].URL, tenants.Write)
		folder := o.Place
		if o.Type == jobs.OutputSource && err == nil {
			folder = folder.Folder()
		}
		found.Outputs = append(found.Outputs, p.try(ctx, tried, folder, outputs.Names(&o, uuid.Nil, attempt, names), err, jobs.StagePackage))
	}
}

// tries is what came of folders that were written to.
type tries map[string]error

// try writes to a folder, once, and looks whether objects can have their names there; err is
// why there is no folder.
func (p *Previewer) try(ctx context.Context, tried tries, folder storage.Location, objects []storage.Location, err error, stage jobs.Stage) *jobs.Failure {
	if err == nil {
		err = p.cfg.Storage.CheckNames(objects...)
	}
	if err == nil {
		place := string(folder.Secret())
		if _, is := tried[place]; !is {
			tried[place] = p.cfg.Storage.TryWrite(ctx, folder, objects...)
		}
		err = tried[place]
	}
	if err != nil {
		return failureOf(ctx, err, stage, storage.CodeS3Unavailable)
	}
	return nil
}

// plan says what would be made, where the source's size is known.
func (p *Previewer) plan(req *jobs.Request, found *Found) {
	found.Profiles = req.Profiles
	if found.Glimpse == nil {
		return
	}
	if g := found.Glimpse; len(req.Profiles) == 0 && g.BitRate > 0 {
		found.Profiles = ladder.Of(ladder.Source{Width: g.Width, Height: g.Height, BitRate: g.BitRate})
	}
	source := engine.Size{Width: found.Glimpse.Width, Height: found.Glimpse.Height}
	for _, profile := range found.Profiles {
		box := engine.Size{Width: profile.Width, Height: profile.Height}
		if profile.Width == 0 && profile.Height == 0 { // the source's own
			box = source
		}
		plan := p.cfg.Plan(source, box)
		found.Sizes = append(found.Sizes, plan.Got)
		if code, text := host.SizeWarning(box, &plan); code != "" {
			found.Warnings = append(found.Warnings, jobs.Warning{Code: code, Text: text, Rendition: profile.Name})
		}
	}
}

// failureOf is an error in the words of a transcode's. What took too long is told as what
// can't be reached: how long, tells of the network.
func failureOf(ctx context.Context, err error, stage jobs.Stage, late storage.Code) *jobs.Failure {
	if ctx.Err() != nil {
		return jobs.Failed(string(late), stage, "").Telling("it was not answered within the time of a dry run")
	}
	return jobs.FailureOf(err, stage)
}

func (p *Previewer) enter(tenant string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.all >= mostAtOnce || p.busy[tenant] >= mostOfTenant {
		return false
	}
	p.all++
	p.busy[tenant]++
	return true
}

func (p *Previewer) leave(tenant string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all--
	if p.busy[tenant]--; p.busy[tenant] == 0 {
		delete(p.busy, tenant)
	}
}
