package storage

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/url"
	"os"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"weir/storage/playlist"
)

const (
	// playlistExt is how a playlist is told from a file: Studio's recordings end so.
	playlistExt = ".m3u8"
	// segmentsAhead is how many segments are fetched at once: small ones would wait for
	// their round trips one after the other.
	segmentsAhead = 4
	// pieceExt marks a segment that is on its way into the file.
	pieceExt = ".piece"
)

// IsPlaylist reports whether loc is fetched as an HLS playlist, with all that it names.
func (l Location) IsPlaylist() bool {
	return strings.EqualFold(path.Ext(l.path), playlistExt)
}

// hls is a playlist on its way into one file.
type hls struct {
	client *Client
	path   string
	opt    FetchOptions
}

// fetchPlaylist brings a recording into one file at path: its best variant's segments, one
// behind the other, as they are.
func (c *Client) fetchPlaylist(ctx context.Context, loc Location, path string, opt FetchOptions) (Fetched, error) {
	h := &hls{client: c, path: path, opt: opt}
	list, base, err := h.read(ctx, loc)
	if err != nil {
		return Fetched{}, err
	}
	if len(list.Variants) > 0 {
		best := list.Best()
		if best.Apart {
			return Fetched{}, refusePlaylist(loc, CodePlaylistUnsupported, errors.New("its sound or its picture is in a playlist of its own"))
		}
		variant, err := base.resolve(best.URI)
		if err != nil {
			return Fetched{}, refusePlaylist(loc, CodePlaylistUnsupported, fmt.Errorf("its best variant: %w", err))
		}
		if list, base, err = h.read(ctx, variant); err != nil {
			return Fetched{}, err
		}
		if loc = variant; len(list.Variants) > 0 {
			return Fetched{}, refusePlaylist(loc, CodePlaylistUnreadable, errors.New("a variant has variants of its own"))
		}
	}
	files, err := filesOf(loc, base, list.Segments)
	if err != nil {
		return Fetched{}, err
	}
	fetched, err := h.join(ctx, files)
	fetched.Begins = list.Segments[0].Time
	return fetched, err
}

// read fetches a playlist and reads it. base is where it came from in the end.
func (h *hls) read(ctx context.Context, loc Location) (list *playlist.Playlist, base Location, err error) {
	file := h.path + playlistExt
	defer os.Remove(file) //nolint:errcheck // it may never have been there
	fetched, err := h.client.fetchFile(ctx, loc, file, FetchOptions{MaxBytes: playlist.MaxBytes})
	if err != nil {
		return nil, base, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, base, spoolFailure(file, err)
	}
	list, err = playlist.Parse(text)
	switch {
	case errors.Is(err, playlist.ErrLive):
		return nil, base, refusePlaylist(loc, CodePlaylistLive, err)
	case errors.Is(err, playlist.ErrEncrypted):
		return nil, base, refusePlaylist(loc, CodeSourceEncrypted, err)
	case err != nil:
		return nil, base, refusePlaylist(loc, CodePlaylistUnreadable, err)
	}
	return list, fetched.from, nil
}

func refusePlaylist(loc Location, code Code, err error) error {
	return &Error{Op: "fetch", Location: loc, Code: code, Err: err}
}

// piece is a part of a file that goes into the joined one.
type piece struct {
	offset, length int64 // a length of 0: to the end
	// header: it begins fragmented MP4, and stands once.
	header bool
}

// pieces are parts of one file, that follow each other in the playlist.
type pieces struct {
	location Location
	what     string // for people
	of       []piece
}

// filesOf are the files that a playlist names, in their order.
func filesOf(loc, base Location, segments []playlist.Segment) (files []pieces, err error) {
	add := func(part playlist.Part, header bool, what string) error {
		location, err := base.resolve(part.URI)
		if err != nil {
			return refusePlaylist(loc, CodePlaylistUnsupported, fmt.Errorf("%s: %w", what, err))
		}
		p := piece{offset: part.Offset, length: part.Length, header: header}
		if last := len(files) - 1; last >= 0 && files[last].location.Secret() == location.Secret() {
			files[last].of = append(files[last].of, p)
			return nil
		}
		files = append(files, pieces{location: location, what: what, of: []piece{p}})
		return nil
	}
	var header playlist.Part
	for i, s := range segments {
		what := fmt.Sprintf("segment %d of %d", i+1, len(segments))
		switch {
		case s.Gap:
			return nil, refusePlaylist(loc, CodeObjectMissing, fmt.Errorf("%s is said to be missing (#EXT-X-GAP)", what))
		case i > 0 && (s.Init.URI == "") != (segments[0].Init.URI == ""):
			return nil, refusePlaylist(loc, CodePlaylistUnsupported, fmt.Errorf("%s is of another container than the first", what))
		case i > 0 && s.Discontinuity && s.Init.URI != "":
			return nil, refusePlaylist(loc, CodePlaylistUnsupported, fmt.Errorf("%s begins a new clock (#EXT-X-DISCONTINUITY), which can be joined in MPEG-TS alone", what))
		}
		if s.Init.URI != "" && s.Init != header {
			header = s.Init
			if err := add(header, true, "the header (#EXT-X-MAP) of "+what); err != nil {
				return nil, err
			}
		}
		if err := add(s.Part, false, what); err != nil {
			return nil, err
		}
	}
	return files, nil
}

// join fetches files, some ahead of each other, and writes their pieces in order.
func (h *hls) join(ctx context.Context, files []pieces) (Fetched, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	out, err := h.opt.create(h.path, -1, stop)
	if err != nil {
		return Fetched{}, err
	}
	defer out.discard()
	w := &joined{to: out, identity: sha256.New(), progress: &progress{tell: h.opt.OnProgress, total: -1}}
	defer func() {
		for i := w.files; i < min(w.files+2*segmentsAhead, len(files)); i++ {
			_ = os.Remove(h.piecePath(i)) // what was ahead of a failure
		}
	}()
	if err := h.fetchAhead(ctx, files, w); err != nil {
		return Fetched{}, cmp.Or(out.failed(), err)
	}
	if err := out.commit(); err != nil {
		return Fetched{}, err
	}
	return Fetched{Bytes: w.bytes, Identity: "playlist sha256:" + hex.EncodeToString(w.identity.Sum(nil))}, nil
}

func (h *hls) fetchAhead(ctx context.Context, files []pieces, w *joined) error {
	group, ctx := errgroup.WithContext(ctx)
	come := make([]chan Fetched, len(files))
	ahead := make(chan struct{}, segmentsAhead)
	for i := range come {
		come[i] = make(chan Fetched, 1)
	}
	group.Go(func() error {
		for i := range files {
			select {
			case ahead <- struct{}{}:
			case <-ctx.Done():
				return ctx.Err()
			}
			group.Go(func() error {
				fetched, err := h.client.fetchFile(ctx, files[i].location, h.piecePath(i), FetchOptions{MaxBytes: h.opt.MaxBytes})
				if err != nil {
					return files[i].failure(err)
				}
				come[i] <- fetched
				return nil
			})
		}
		return nil
	})
	group.Go(func() error {
		for i := range files {
			select {
			case fetched := <-come[i]:
				if err := w.add(h.piecePath(i), &files[i], &fetched); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			<-ahead
		}
		return nil
	})
	return group.Wait()
}

func (h *hls) piecePath(i int) string { return fmt.Sprintf("%s.%d%s", h.path, i, pieceExt) }

// failure tells which segment it was.
func (p *pieces) failure(err error) error {
	known, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	return p.refuse(known.Code, known.Err)
}

func (p *pieces) refuse(code Code, err error) error {
	return &Error{Op: "fetch", Location: p.location, Code: code, Err: fmt.Errorf("%s (%s): %w", p.what, path.Base(p.location.path), err)}
}

// joined is the one file of a playlist.
type joined struct {
	to       *partial
	progress *progress
	identity hash.Hash
	bytes    int64
	files    int // that are in it
	header   []byte
}

// maxHeader is far above the header of fragmented MP4: some kilobytes.
const maxHeader = 4 << 20

// add writes the pieces of a fetched file, and removes it.
func (w *joined) add(path string, of *pieces, fetched *Fetched) error {
	file, err := os.Open(path)
	if err != nil {
		return spoolFailure(path, err)
	}
	defer file.Close()
	for _, p := range of.of {
		length := cmp.Or(p.length, fetched.Bytes-p.offset)
		if p.offset+length > fetched.Bytes {
			return of.refuse(CodePlaylistUnreadable, fmt.Errorf("bytes up to %d are named, it has %d", p.offset+length, fetched.Bytes))
		}
		fmt.Fprintf(w.identity, "%s %d %d\n", fetched.Identity, p.offset, length)
		content := io.Reader(io.NewSectionReader(file, p.offset, length))
		if p.header {
			header, err := io.ReadAll(io.LimitReader(content, maxHeader+1))
			switch {
			case err != nil:
				return spoolFailure(path, err)
			case len(header) > maxHeader:
				return of.refuse(CodePlaylistUnreadable, fmt.Errorf("more than %d bytes are no header", maxHeader))
			case w.header == nil:
				w.header = header
			case bytes.Equal(header, w.header):
				continue
			default:
				return of.refuse(CodePlaylistUnsupported, errors.New("it is another one than the first, and what follows can't be joined"))
			}
			content = bytes.NewReader(header)
		}
		n, err := io.Copy(io.NewOffsetWriter(w.to, w.bytes), content)
		if err != nil {
			return cmp.Or(w.to.failed(), spoolFailure(path, err))
		}
		w.bytes += n
		w.progress.set(w.bytes)
	}
	w.files++
	if err := os.Remove(path); err != nil {
		return spoolFailure(path, err)
	}
	return nil
}

// resolve is the place of a reference in a playlist at l. Playlists are anybody's: what
// they name is at http(s) or, in S3, in their own bucket, where their request's keys are for.
func (l Location) resolve(ref string) (Location, error) {
	u, err := url.Parse(ref)
	switch {
	case err != nil:
		return Location{}, errors.New("its address can't be read")
	case u.Scheme != "" && !strings.EqualFold(u.Scheme, schemeHTTP) && !strings.EqualFold(u.Scheme, schemeHTTPS):
		return Location{}, errors.New("its address is neither relative nor http(s)")
	case u.Scheme != "":
		return parse(ref)
	case l.IsS3() && u.Host != "":
		return Location{}, errors.New("its address has a host and no scheme")
	case l.IsS3():
		return l.resolveKey(u)
	}
	base, err := url.Parse(string(l.Secret()))
	if err != nil {
		return Location{}, errors.New("its address can't be read")
	}
	return parse(base.ResolveReference(u).String())
}

// resolveKey is an object beside the playlist; from the root on it has to be its bucket's.
func (l Location) resolveKey(u *url.URL) (Location, error) {
	key := u.Path
	if strings.HasPrefix(key, "/") {
		within, found := strings.CutPrefix(key, "/"+l.bucket+"/")
		if !found {
			return Location{}, errors.New("its address leads out of the playlist's bucket")
		}
		key = "/" + within
	}
	key = (&url.URL{Path: "/" + l.path}).ResolveReference(&url.URL{Path: key}).Path
	l.path = strings.TrimPrefix(key, "/")
	if l.path == "" {
		return Location{}, errors.New("its address names no object")
	}
	return l, checkKey(l.path)
}
