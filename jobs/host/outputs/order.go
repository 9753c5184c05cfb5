package outputs

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"weir/jobs"
	"weir/media/pack"
	"weir/storage"
)

// shortMost is the longest source of which outputs that are only for short ones are made.
const shortMost = 2 * time.Minute

// A Packer packages renditions into a folder of the spool.
type Packer interface {
	HLS(ctx context.Context, rung pack.Rung, dir string, segment time.Duration) (pack.Playlist, error)
	MP4(ctx context.Context, rung pack.Rung, file string) (pack.Packed, error)
	Fragmented(ctx context.Context, rungs []pack.Rung, dir string, segment time.Duration) (pack.Fragmented, error)
	Thumbnails(ctx context.Context, rung pack.Rung, dir string, every time.Duration) (pack.Thumbnails, error)
}

// A Store keeps objects.
type Store interface {
	// Upload stores a file, and returns when it is proved.
	Upload(ctx context.Context, at storage.Location, path string, opt storage.UploadOptions) (storage.Object, error)
	// Verify proves an object.
	Verify(ctx context.Context, at storage.Location, want storage.Object) error
	// Look says what lies at a location.
	Look(ctx context.Context, at storage.Location) (storage.Present, error)
}

var _ Packer = pack.Packer{}

// A Fence says, just before something is written that has a name of its own, whether the
// attempt may still do so.
type Fence func(ctx context.Context) error

// An Order is all that is to be made of an attempt's renditions.
type Order struct {
	Transcode uuid.UUID
	Attempt   int32
	// Dir is a folder of the spool for this alone.
	Dir string
	// Rungs are the renditions, in the order of the request.
	Rungs []pack.Rung
	// Source is the source's file, where a copy is asked for, SourceType its media type.
	Source, SourceType string
	// Lasts is how long the source is.
	Lasts time.Duration
	// MP4Of is the rendition that MP4s are made of alone; "": of all.
	MP4Of   string
	Outputs []Output
}

// An Output is one of them.
type Output struct {
	Ordinal   int32
	Type      string
	Place     storage.Location
	Segment   time.Duration
	OnlyShort bool
}

// Made is what became of an output.
type Made struct {
	Ordinal int32
	// Skipped is why there is none, for people.
	Skipped string
	// Manifest is where a player begins; it may be none.
	Manifest string
	Bytes    int64
	Objects  []jobs.StoredObject
}

// mp4Rungs are those that MP4s are made of.
func (o *Order) mp4Rungs() []pack.Rung {
	if o.MP4Of == "" {
		return o.Rungs
	}
	return slices.DeleteFunc(slices.Clone(o.Rungs), func(rung pack.Rung) bool { return rung.Name != o.MP4Of })
}

// skipped says why an output is not made; "": it is.
func (o *Order) skipped(output *Output) string {
	if output.OnlyShort && o.Lasts > shortMost {
		return "only for sources of up to " + shortMost.String()
	}
	return ""
}

// Folder is what an attempt has below a place for itself alone; [Packaged] is the part of
// it that is written here.
func Folder(place storage.Location, transcode uuid.UUID, attempt int32) storage.Location {
	return place.Join(transcode.String(), strconv.Itoa(int(attempt)))
}

// The parts of an attempt's folder.
const (
	hlsFolder  = "hls"
	fmp4Folder = "fmp4"
)

// Packaged are the folders that an attempt's outputs may have written at a place.
func Packaged(place storage.Location, transcode uuid.UUID, attempt int32) []storage.Location {
	folder := Folder(place, transcode, attempt)
	return []storage.Location{folder.Join(hlsFolder), folder.Join(fmp4Folder)}
}

// PackagedFor is the one of them that an output of a type has; false: it has none.
func PackagedFor(kind string, place storage.Location, transcode uuid.UUID, attempt int32) (storage.Location, bool) {
	switch kind {
	case jobs.OutputHLS:
		return Folder(place, transcode, attempt).Join(hlsFolder), true
	case jobs.OutputFMP4:
		return Folder(place, transcode, attempt).Join(fmp4Folder), true
	}
	return storage.Location{}, false
}

// Names are objects that an output will write, the longest among them: for those who try
// whether they may.
func Names(output *Output, transcode uuid.UUID, attempt int32, renditions []string) (names []storage.Location) {
	const segment = "00000.ts"
	switch output.Type {
	case jobs.OutputHLS:
		names = append(names, output.Place.Join(masterName))
		for _, name := range renditions {
			names = append(names, Folder(output.Place, transcode, attempt).Join(hlsFolder, name, segment))
		}
	case jobs.OutputFMP4:
		names = append(names, Folder(output.Place, transcode, attempt).Join(fmp4Folder, segment))
	case jobs.OutputMP4:
		for _, name := range renditions {
			names = append(names, output.Place.Join(name+mp4Ext))
		}
	case jobs.OutputThumbnails:
		names = append(names, output.Place.Join(thumbnailsFolder, thumbnailsName))
	case jobs.OutputSource:
		names = append(names, output.Place)
	}
	return names
}

// The names that players look for.
const (
	masterName       = "index.m3u8"
	mp4Ext           = ".mp4"
	thumbnailsFolder = "thumbnails"
	thumbnailsName   = "thumbnails.vtt"
)
