package outputs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"weir/jobs"
	"weir/media/pack"
	"weir/storage"
)

// uploadsAtOnce is for segments, which are small: a store's own parts are for large files.
const uploadsAtOnce = 8

// The order in which objects are written: whoever sees one can read all that it names.
const (
	inFolder  = iota // what players find by playlists alone
	playlists        // of renditions, in the folder
	byName           // what has a name of its own, and no parts
	manifests        // what names such
	masters          // of HLS: last of all
	phases
)

// A Package is what was packaged, on its way to where it is asked for.
type Package struct {
	order  *Order
	packed packed
	// again: a part of it may be stored.
	again bool

	outputs []*made
	// Progress is told how many bytes are stored, of all of them. It may be nil.
	Progress func(done, all int64)
}

// made is an output in the making.
type made struct {
	Made
	groups []*group
}

// group is what an output's row keeps as one: an object, or many.
type group struct {
	phase  int
	of     jobs.StoredObject
	files  []file
	sealed []storage.Object // of the files, once they are stored
}

// file is an object to be written.
type file struct {
	path string
	at   storage.Location
	// over is what it may replace, where it has a name of its own.
	over storage.Present
}

// overtakenMost is how often an object is written that another one came before: who still
// writes there is an attempt that has ended, and it has no more than one upload of it.
const overtakenMost = 3

// Publish writes it all. fence is asked before anything that has a name of its own.
func (p *Package) Publish(ctx context.Context, store Store, fence Fence) ([]Made, error) {
	if err := p.plan(); err != nil {
		return nil, err
	}
	sent := p.progress()
	for phase := range phases {
		if phase == byName {
			// Before the fence: whoever owns the attempt looks later than those before it did, so
			// what they have on its way still is not over what it wrote.
			if err := p.look(ctx, store); err != nil {
				return nil, err
			}
			if err := fence(ctx); err != nil {
				return nil, err
			}
			jobs.Crash(jobs.CrashPublishing)
		}
		if phase == masters {
			if err := fence(ctx); err != nil { // what came before may have taken long
				return nil, err
			}
		}
		if err := p.upload(ctx, store, fence, phase, sent); err != nil {
			return nil, err
		}
	}
	jobs.Crash(jobs.CrashPublished)
	var all []Made
	for _, m := range p.outputs {
		m.sum()
		all = append(all, m.Made)
	}
	return all, nil
}

// upload stores what belongs to a phase.
func (p *Package) upload(ctx context.Context, store Store, fence Fence, phase int, sent func(int64)) error {
	uploads, ctx := errgroup.WithContext(ctx)
	uploads.SetLimit(uploadsAtOnce)
	for _, m := range p.outputs {
		for _, g := range m.groups {
			if g.phase != phase {
				continue
			}
			g.sealed = make([]storage.Object, len(g.files))
			for i, f := range g.files {
				uploads.Go(func() (err error) {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					if g.sealed[i], err = p.store(ctx, store, fence, phase, f); err != nil {
						return err
					}
					sent(g.sealed[i].Bytes)
					return nil
				})
			}
		}
	}
	return uploads.Wait()
}

// look sees what lies at the names that others may write to.
func (p *Package) look(ctx context.Context, store Store) error {
	looks, ctx := errgroup.WithContext(ctx)
	looks.SetLimit(uploadsAtOnce)
	for _, m := range p.outputs {
		for _, g := range m.groups {
			if g.phase < byName {
				continue
			}
			for i := range g.files {
				looks.Go(func() (err error) {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					g.files[i].over, err = store.Look(ctx, g.files[i].at)
					return err
				})
			}
		}
	}
	return looks.Wait()
}

// store stores a file, unless an earlier try has.
func (p *Package) store(ctx context.Context, store Store, fence Fence, phase int, f file) (storage.Object, error) {
	if p.again {
		checksum, err := storage.Checksum(f.path)
		if err != nil {
			return storage.Object{}, err
		}
		want := storage.Object{Bytes: fileBytes(f.path), Checksum: checksum}
		if store.Verify(ctx, f.at, want) == nil {
			return want, nil
		}
	}
	opt := storage.UploadOptions{ContentType: p.contentType(f)}
	if phase >= byName {
		opt.By, opt.Over = By(p.order.Transcode, p.order.Attempt), f.over
	}
	for tries := 1; ; tries++ {
		object, err := store.Upload(ctx, f.at, f.path, opt)
		if !errors.Is(err, storage.ErrOvertaken) || tries == overtakenMost {
			return object, err
		}
		// An attempt before this one had it on its way, or one behind it owns the place now.
		if opt.Over, err = store.Look(ctx, f.at); err != nil {
			return object, err
		}
		if err := fence(ctx); err != nil {
			return object, err
		}
	}
}

// contentTypes are what browsers are told that objects are.
var contentTypes = map[string]string{
	".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4", ".mpd": "application/dash+xml",
	".m4s": "video/iso.segment", ".vtt": "text/vtt", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp",
}

func (p *Package) contentType(f file) string {
	if f.path == p.order.Source {
		return p.order.SourceType
	}
	return contentTypes[path.Ext(f.path)]
}

// progress counts what is stored.
func (p *Package) progress() func(int64) {
	if p.Progress == nil {
		return func(int64) {}
	}
	var all int64
	for _, m := range p.outputs {
		for _, g := range m.groups {
			for _, f := range g.files {
				all += fileBytes(f.path)
			}
		}
	}
	counted := make(chan int64, 1)
	counted <- 0
	return func(bytes int64) {
		done := <-counted + bytes
		p.Progress(done, all)
		counted <- done
	}
}

// plan says what is written where.
func (p *Package) plan() error {
	o := p.order
	p.outputs = nil
	for i := range o.Outputs {
		output := &o.Outputs[i]
		m := &made{Made: Made{Ordinal: output.Ordinal, Skipped: o.skipped(output)}}
		p.outputs = append(p.outputs, m)
		if m.Skipped != "" {
			continue
		}
		switch output.Type {
		case jobs.OutputHLS:
			if err := p.planHLS(m, output); err != nil {
				return err
			}
		case jobs.OutputMP4:
			p.planMP4(m, output)
		case jobs.OutputFMP4:
			if err := p.planFragmented(m, output); err != nil {
				return err
			}
		case jobs.OutputThumbnails:
			p.planThumbnails(m, output)
		case jobs.OutputSource:
			m.Manifest = output.Place.String()
			m.add(byName, jobs.StoredObject{Kind: jobs.ObjectFile, URL: output.Place.String()}, file{path: o.Source, at: output.Place})
		default:
			return fmt.Errorf("output %d: nobody makes %s", output.Ordinal, output.Type)
		}
	}
	return nil
}

func (m *made) add(phase int, of jobs.StoredObject, files ...file) {
	m.groups = append(m.groups, &group{phase: phase, of: of, files: files})
}

func (p *Package) planHLS(m *made, output *Output) error {
	o := p.order
	var rungs []pack.MasterRung
	for i, rung := range o.Rungs {
		list, dir := p.packed.HLS[output.Segment][i], o.hlsDir(output.Segment, rung.Name)
		folder := Folder(output.Place, o.Transcode, o.Attempt).Join(hlsFolder, rung.Name)
		var segments []file
		for _, name := range list.Segments {
			segments = append(segments, file{path: filepath.Join(dir, name), at: folder.Join(name)})
		}
		m.add(inFolder, jobs.StoredObject{Kind: jobs.ObjectSegments, Rendition: rung.Name, URL: folder.String()}, segments...)
		m.add(playlists, jobs.StoredObject{
			Kind: jobs.ObjectPlaylist, Rendition: rung.Name, URL: folder.Join(list.File).String(),
			Width: rung.Width, Height: rung.Height, BitRate: list.PeakBitRate,
		}, file{path: filepath.Join(dir, list.File), at: folder.Join(list.File)})
		rungs = append(rungs, pack.MasterRung{Rung: rung, Playlist: list, URI: relative(o, hlsFolder, rung.Name, list.File)})
	}
	local := filepath.Join(o.Dir, hlsFolder+output.Segment.String()+".m3u8")
	if err := os.WriteFile(local, pack.Master(rungs), 0o600); err != nil {
		return fmt.Errorf("write the master: %w", err)
	}
	master := output.Place.Join(masterName)
	m.Manifest = master.String()
	m.add(masters, jobs.StoredObject{Kind: jobs.ObjectMaster, URL: master.String()}, file{path: local, at: master})
	return nil
}

func (p *Package) planMP4(m *made, output *Output) {
	const byteBits = 8
	for i, rung := range p.order.mp4Rungs() {
		packed, at := p.packed.MP4[i], output.Place.Join(rung.Name+mp4Ext)
		of := jobs.StoredObject{Kind: jobs.ObjectFile, Rendition: rung.Name, URL: at.String(), Width: rung.Width, Height: rung.Height}
		if packed.Seconds > 0 {
			of.BitRate = int64(float64(packed.Bytes) * byteBits / packed.Seconds)
		}
		m.add(byName, of, file{path: packed.File, at: at})
	}
}

// planFragmented: the manifests lie beside the master of HLS, where they are looked for, and
// name what lies in the attempt's folder.
func (p *Package) planFragmented(m *made, output *Output) error {
	o := p.order
	packed, dir := p.packed.Fragmented[output.Segment], o.dir(output)
	folder := Folder(output.Place, o.Transcode, o.Attempt).Join(fmp4Folder)
	named := path.Join("..", relative(o, fmp4Folder)) + "/"
	var chunks []file
	for _, name := range packed.Files {
		switch {
		case name == packed.Master || name == packed.MPD:
		case path.Ext(name) == ".m3u8":
			m.add(playlists, jobs.StoredObject{Kind: jobs.ObjectPlaylist, URL: folder.Join(name).String()}, file{path: filepath.Join(dir, name), at: folder.Join(name)})
		default:
			chunks = append(chunks, file{path: filepath.Join(dir, name), at: folder.Join(name)})
		}
	}
	m.add(inFolder, jobs.StoredObject{Kind: jobs.ObjectSegments, URL: folder.String()}, chunks...)
	for name, moved := range map[string]func([]byte, string) []byte{packed.Master: movedMaster, packed.MPD: movedMPD} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return fmt.Errorf("read the manifest: %w", err)
		}
		local, at := filepath.Join(dir, movedPrefix+name), output.Place.Join(fmp4Folder, name)
		if err := os.WriteFile(local, moved(text, named), 0o600); err != nil {
			return fmt.Errorf("write the manifest: %w", err)
		}
		m.add(manifests, jobs.StoredObject{Kind: jobs.ObjectMaster, URL: at.String()}, file{path: local, at: at})
	}
	slices.SortFunc(m.groups, func(a, b *group) int { return strings.Compare(a.of.URL, b.of.URL) }) // as a map has no order
	m.Manifest = output.Place.Join(fmp4Folder, packed.Master).String()
	return nil
}

func (p *Package) planThumbnails(m *made, output *Output) {
	packed, dir := p.packed.Thumbnails[output.Segment], p.order.dir(output)
	folder := output.Place.Join(thumbnailsFolder)
	var pictures []file
	for _, name := range packed.Pictures {
		pictures = append(pictures, file{path: filepath.Join(dir, name), at: folder.Join(name)})
	}
	m.add(byName, jobs.StoredObject{Kind: jobs.ObjectPictures, URL: folder.String()}, pictures...)
	at := folder.Join(thumbnailsName)
	m.Manifest = at.String()
	m.add(manifests, jobs.StoredObject{Kind: jobs.ObjectMaster, URL: at.String()}, file{path: filepath.Join(dir, packed.File), at: at})
}

// relative is a path in the attempt's folder as what lies at its place names it.
func relative(o *Order, elem ...string) string {
	return path.Join(append([]string{o.Transcode.String(), fmt.Sprint(o.Attempt)}, elem...)...)
}

// sum writes down what is stored.
func (m *made) sum() {
	for _, g := range m.groups {
		of := g.of
		of.Objects = len(g.files)
		digest := sha256.New()
		for i, object := range g.sealed {
			of.Bytes += object.Bytes
			fmt.Fprintf(digest, "%s %d %s\n", path.Base(g.files[i].path), object.Bytes, object.Checksum)
		}
		of.Checksum = "sha256:" + hex.EncodeToString(digest.Sum(nil))
		if of.Kind != jobs.ObjectSegments && of.Kind != jobs.ObjectPictures {
			of.Checksum = g.sealed[0].Checksum
		}
		m.Bytes += of.Bytes
		m.Objects = append(m.Objects, of)
	}
}

// fileBytes is a file's length, 0 without one.
func fileBytes(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
