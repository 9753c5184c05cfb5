package outputs

import (
	"context"
	"fmt"
	"path"
	"strconv"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"weir/jobs"
	"weir/media/pack"
	"weir/storage"
)

// By is how an attempt signs what it writes that has a name of its own.
func By(transcode uuid.UUID, attempt int32) string {
	return transcode.String() + "/" + strconv.Itoa(int(attempt))
}

// Late are objects that lie where an output's should, and what lies there: by their places,
// without secrets.
type Late map[string]storage.Present

// Look adds those objects of an output that one of others wrote ([By]): its upload was on its
// way when it ended, and came behind what took its place, on a server that can't compare.
// What nobody signed, or somebody else, is left alone: its owner may have put it there.
func (l Late) Look(ctx context.Context, store Store, output *Output, objects []jobs.StoredObject, others map[string]bool) error {
	found := make(chan Late, 1)
	found <- l
	looks, ctx := errgroup.WithContext(ctx)
	looks.SetLimit(uploadsAtOnce)
	for i := range objects {
		o := &objects[i]
		names := named(output, o)
		for _, at := range names {
			looks.Go(func() error {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				present, err := store.Look(ctx, at)
				if err != nil || !others[present.By] {
					return err
				}
				if len(names) == 1 && store.Verify(ctx, at, storage.Object{Bytes: o.Bytes, Checksum: o.Checksum}) == nil {
					return nil // the same bytes, as of one rendition's file
				}
				late := <-found
				late[at.String()] = present
				found <- late
				return nil
			})
		}
	}
	if err := looks.Wait(); err != nil {
		return fmt.Errorf("look at output %d: %w", output.Ordinal, err)
	}
	return nil
}

// named are the places of what a row keeps as one, where they have names of their own.
func named(output *Output, o *jobs.StoredObject) []storage.Location {
	place := output.Place
	switch {
	case o.Kind == jobs.ObjectSegments || o.Kind == jobs.ObjectPlaylist:
		return nil // in the attempt's folder
	case output.Type == jobs.OutputHLS:
		return []storage.Location{place.Join(masterName)}
	case output.Type == jobs.OutputFMP4:
		return []storage.Location{place.Join(fmp4Folder, path.Base(o.URL))}
	case output.Type == jobs.OutputMP4:
		return []storage.Location{place.Join(o.Rendition + mp4Ext)}
	case output.Type == jobs.OutputSource:
		return []storage.Location{place}
	case o.Kind == jobs.ObjectPictures:
		pictures := make([]storage.Location, o.Objects)
		for i := range pictures {
			pictures[i] = place.Join(thumbnailsFolder, pack.Picture(i))
		}
		return pictures
	default:
		return []storage.Location{place.Join(thumbnailsFolder, thumbnailsName)}
	}
}

// Mend writes anew what lies where others wrote too late, and nothing else. Where it was
// replaced meanwhile, the error is storage.ErrOvertaken.
func (p *Package) Mend(ctx context.Context, store Store, late Late) error {
	if err := p.plan(); err != nil {
		return err
	}
	for phase := byName; phase < phases; phase++ {
		for _, m := range p.outputs {
			for _, g := range m.groups {
				if g.phase != phase {
					continue
				}
				for _, f := range g.files {
					over, is := late[f.at.String()]
					if !is {
						continue
					}
					if _, err := store.Upload(ctx, f.at, f.path, storage.UploadOptions{
						ContentType: p.contentType(f), By: By(p.order.Transcode, p.order.Attempt), Over: over,
					}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}
