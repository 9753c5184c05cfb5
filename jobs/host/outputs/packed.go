package outputs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"weir/jobs"
	"weir/media/pack"
)

// packedName is where it is noted what was packaged: an upload may be tried for a day.
const packedName = "packed.json"

// spoolMode is the spool's.
const spoolMode = 0o750

// packed is what lies in the order's folder.
type packed struct {
	// HLS are the rungs' playlists by the length of segments, in the order of the rungs.
	HLS map[time.Duration][]pack.Playlist `json:"hls"`
	// MP4 are the rungs' files, in the order of the rungs.
	MP4 []pack.Packed `json:"mp4"`
	// Fragmented and Thumbnails are by the length of segments.
	Fragmented map[time.Duration]pack.Fragmented `json:"fmp4"`
	Thumbnails map[time.Duration]pack.Thumbnails `json:"thumbnails"`
}

// Pack packages what the order asks for, unless it was. bytes are how many that came to.
func (o *Order) Pack(ctx context.Context, packer Packer) (*Package, error) {
	done := &Package{order: o}
	text, err := os.ReadFile(filepath.Join(o.Dir, packedName))
	if err == nil && json.Unmarshal(text, &done.packed) == nil {
		done.again = true
		return done, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read what was packaged: %w", err)
	}
	done.packed = packed{
		HLS: map[time.Duration][]pack.Playlist{}, Fragmented: map[time.Duration]pack.Fragmented{},
		Thumbnails: map[time.Duration]pack.Thumbnails{},
	}
	for i := range o.Outputs {
		if err := o.pack(ctx, packer, &o.Outputs[i], &done.packed); err != nil {
			return nil, err
		}
	}
	return done, done.packed.keep(o.Dir)
}

// pack packages for one output, unless another one has the same.
func (o *Order) pack(ctx context.Context, packer Packer, output *Output, into *packed) error {
	if o.skipped(output) != "" {
		return nil
	}
	switch output.Type {
	case jobs.OutputHLS:
		return o.packHLS(ctx, packer, output.Segment, into)
	case jobs.OutputMP4:
		return o.packMP4(ctx, packer, into)
	case jobs.OutputFMP4:
		if _, is := into.Fragmented[output.Segment]; is {
			return nil
		}
		dir, err := empty(o.dir(output))
		if err != nil {
			return err
		}
		into.Fragmented[output.Segment], err = packer.Fragmented(ctx, o.Rungs, dir, output.Segment)
		return err
	case jobs.OutputThumbnails:
		if _, is := into.Thumbnails[output.Segment]; is {
			return nil
		}
		dir, err := empty(o.dir(output))
		if err != nil {
			return err
		}
		into.Thumbnails[output.Segment], err = packer.Thumbnails(ctx, o.pictured(), dir, output.Segment)
		return err
	}
	return nil
}

func (o *Order) packHLS(ctx context.Context, packer Packer, segment time.Duration, into *packed) error {
	if into.HLS[segment] != nil {
		return nil
	}
	for _, rung := range o.Rungs {
		dir, err := empty(o.hlsDir(segment, rung.Name))
		if err != nil {
			return err
		}
		list, err := packer.HLS(ctx, rung, dir, segment)
		if err != nil {
			return err
		}
		into.HLS[segment] = append(into.HLS[segment], list)
	}
	return nil
}

func (o *Order) packMP4(ctx context.Context, packer Packer, into *packed) error {
	if into.MP4 != nil {
		return nil
	}
	dir, err := empty(filepath.Join(o.Dir, jobs.OutputMP4))
	if err != nil {
		return err
	}
	for _, rung := range o.mp4Rungs() {
		file, err := packer.MP4(ctx, rung, filepath.Join(dir, rung.Name+mp4Ext))
		if err != nil {
			return err
		}
		into.MP4 = append(into.MP4, file)
	}
	return nil
}

// pictured is the rung that thumbnails are made of: the smallest that fills their box, or
// the largest there is.
func (o *Order) pictured() pack.Rung {
	const width, height = 640, 360
	best := o.Rungs[0]
	for _, rung := range o.Rungs[1:] {
		fills, filled := rung.Width >= width || rung.Height >= height, best.Width >= width || best.Height >= height
		if fills && (!filled || rung.Width < best.Width) || !fills && !filled && rung.Width > best.Width {
			best = rung
		}
	}
	return best
}

// dir is where in the spool an output is packaged whose files lie in one folder.
func (o *Order) dir(output *Output) string {
	return filepath.Join(o.Dir, output.Type+output.Segment.String())
}

func (o *Order) hlsDir(segment time.Duration, rung string) string {
	return filepath.Join(o.Dir, hlsFolder+segment.String(), rung)
}

// empty makes a folder anew: what a try that was killed left there is not to be believed.
func empty(dir string) (string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", fmt.Errorf("make room for what is packaged: %w", err)
	}
	if err := os.MkdirAll(dir, spoolMode); err != nil {
		return "", fmt.Errorf("make room for what is packaged: %w", err)
	}
	return dir, nil
}

// keep notes it, whole or not at all.
func (p *packed) keep(dir string) error {
	text, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("note what was packaged: %w", err)
	}
	part := filepath.Join(dir, packedName+".part")
	if err := os.WriteFile(part, text, 0o600); err != nil {
		return fmt.Errorf("note what was packaged: %w", err)
	}
	if err := os.Rename(part, filepath.Join(dir, packedName)); err != nil {
		return fmt.Errorf("note what was packaged: %w", err)
	}
	return nil
}
