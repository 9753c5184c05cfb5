package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/jobs"
)

const (
	// playingMost bounds what players cost a daemon that has other work.
	playingMost = 16
	// playWrite is how long a browser may take for the next piece of what it plays.
	playWrite = 30 * time.Second
	// pieceBytes is written between two looks at that.
	pieceBytes = 256 << 10
	// sliceSeconds of a rendition are one segment of the list that is made for it, and
	// sliceLeast bytes, so that a short one is played as a whole.
	sliceSeconds = 10
	sliceLeast   = 2 << 20
	// picturesMost are shown of an output: an hour of them, at ten seconds each.
	picturesMost = 360
	// tsPacket is what slices are multiples of.
	tsPacket = 188
)

// Objects reads what was stored. Its errors are for the log.
type Objects interface {
	// Read reads an object of a transcode, or the part that byteRange asks for, as the header
	// Range does; "": all of it. It is the rendition's file, or of an output (from 0) the one
	// with this path below its folder.
	Read(ctx context.Context, t *dbsqlc.Transcode, of *Object, byteRange string) (*Stored, error)
}

// Object says which object is meant: a rendition's, or an output's at Path.
type Object struct {
	Rendition *dbsqlc.Rendition
	Output    *dbsqlc.Output
	Path      string
}

// Stored is an object, or a part of it.
type Stored struct {
	Body io.ReadCloser
	// Length is that of Body, Range the Content-Range of a part.
	Length int64
	Range  string
}

// What Read fails with; test by errors.Is.
var (
	ErrNoObject = errors.New("there is no such object")
	ErrNoRange  = errors.New("the object has no such part")
)

type playPage struct {
	page

	ID         uuid.UUID
	Name, What string
	// List is the address of a playlist; "": what is shown are files.
	List string
	// Files are whole videos, Pictures small ones along the video: by their addresses.
	Files    []playedFile
	Pictures []string
	// More is how many pictures are left out.
	More int
}

// playedFile is a video that a browser plays as it is.
type playedFile struct {
	Name, Address string
}

// play is a page with a player for a rendition.
func (p *Pages) play(w http.ResponseWriter, r *http.Request) {
	detail, rendition, ok := p.rendition(w, r)
	if !ok {
		return
	}
	p.show(w, r, http.StatusOK, "play", &playPage{
		page: p.page(r, "Play "+rendition.Name), ID: detail.Transcode.ID, Name: nameOf(&detail.Transcode), What: rendition.Name,
		List: fmt.Sprintf("/transcodes/%s/play/%s/list.m3u8", detail.Transcode.ID, rendition.Name),
	})
}

func nameOf(t *dbsqlc.Transcode) string {
	if task := jobs.TaskOf(t); task != nil {
		return *task
	}
	return t.ID.String()
}

// rendition finds the stored rendition of an address; ok: else it has said why not.
func (p *Pages) rendition(w http.ResponseWriter, r *http.Request) (detail jobs.Detail, found *dbsqlc.Rendition, ok bool) {
	if detail, ok = p.stored(w, r); !ok {
		return detail, nil, false
	}
	for i := range detail.Renditions {
		if one := &detail.Renditions[i]; one.Name == r.PathValue("rendition") && one.State == jobs.RenditionOK && one.ObjectBytes != nil {
			return detail, one, true
		}
	}
	p.problem(w, r, http.StatusNotFound, errors.New("there is no such rendition, or it is not stored"))
	return detail, nil, false
}

func (p *Pages) stored(w http.ResponseWriter, r *http.Request) (detail jobs.Detail, ok bool) {
	id, ok := p.idOf(w, r)
	if !ok {
		return detail, false
	}
	if p.cfg.Objects == nil {
		p.problem(w, r, http.StatusNotFound, errors.New("this daemon plays nothing"))
		return detail, false
	}
	detail, err := p.cfg.Transcodes.Get(r.Context(), "", id)
	if err != nil {
		p.failed(w, r, "read the transcode", err)
		return detail, false
	}
	return detail, true
}

// playFile is the list of a rendition's slices, or the rendition.
func (p *Pages) playFile(w http.ResponseWriter, r *http.Request) {
	detail, rendition, ok := p.rendition(w, r)
	if !ok {
		return
	}
	switch r.PathValue("file") {
	case "list.m3u8":
		w.Header().Set("Content-Type", typeOf(".m3u8"))
		_, _ = io.WriteString(w, sliced(*rendition.ObjectBytes, rendition.DurationMs))
	case "file.ts":
		p.pass(w, r, &detail.Transcode, &Object{Rendition: rendition}, ".ts")
	default:
		p.nothing(w, r)
	}
}

// sliced is a playlist of a transport stream in parts of its file. Where they begin is
// a guess by bytes: players take such a stream as one, and its own times as true.
func sliced(bytes int64, durationMS *int64) string {
	seconds := 1.0
	if durationMS != nil {
		seconds = max(float64(*durationMS)/1000, 0.1) //nolint:mnd // milliseconds
	}
	slice := max(int64(float64(bytes)/seconds*sliceSeconds), sliceLeast) / tsPacket * tsPacket
	var b strings.Builder
	fmt.Fprintf(&b, "#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-TARGETDURATION:%d\n", int(float64(slice)/float64(bytes)*seconds)+1)
	for at := int64(0); at < bytes; at += slice {
		length := min(slice, bytes-at)
		fmt.Fprintf(&b, "#EXTINF:%.3f,\n#EXT-X-BYTERANGE:%d@%d\nfile.ts\n", float64(length)/float64(bytes)*seconds, length, at)
	}
	b.WriteString("#EXT-X-ENDLIST\n")
	return b.String()
}

// watch is a page with a player, or with pictures, for an output.
func (p *Pages) watch(w http.ResponseWriter, r *http.Request) {
	detail, output, ok := p.output(w, r)
	if !ok {
		return
	}
	page := &playPage{
		page: p.page(r, "Play "+output.Type), ID: detail.Transcode.ID, Name: nameOf(&detail.Transcode), What: output.Type,
	}
	if err := page.fill(output); err != nil {
		p.failed(w, r, "read what was written", err)
		return
	}
	if page.List == "" && page.Files == nil && page.Pictures == nil {
		p.problem(w, r, http.StatusNotFound, errors.New("this output has nothing that a browser shows"))
		return
	}
	p.show(w, r, http.StatusOK, "play", page)
}

// fill sets what of an output a browser shows.
func (page *playPage) fill(output *dbsqlc.Output) error {
	address := func(url string) string {
		return fmt.Sprintf("/transcodes/%s/watch/%d/%s", page.ID, output.Ordinal, strings.TrimPrefix(strings.TrimPrefix(url, output.URL), "/"))
	}
	if output.ManifestURL != nil && path.Ext(*output.ManifestURL) == ".m3u8" {
		page.List = address(*output.ManifestURL)
		return nil
	}
	objects, err := jobs.ObjectsOf(output)
	if err != nil {
		return err
	}
	for _, of := range objects {
		switch {
		case of.Kind == jobs.ObjectFile && output.Type == jobs.OutputMP4:
			page.Files = append(page.Files, playedFile{of.Rendition, address(of.URL)})
		case of.Kind == jobs.ObjectPictures:
			page.More = max(of.Objects-picturesMost, 0)
			for i := range min(of.Objects, picturesMost) { // as media/pack names them
				page.Pictures = append(page.Pictures, fmt.Sprintf("%s/%d.jpg", address(of.URL), i))
			}
		}
	}
	return nil
}

func (p *Pages) output(w http.ResponseWriter, r *http.Request) (detail jobs.Detail, found *dbsqlc.Output, ok bool) {
	if detail, ok = p.stored(w, r); !ok {
		return detail, nil, false
	}
	number, err := strconv.Atoi(r.PathValue("output"))
	if err == nil && number >= 0 && number < len(detail.Outputs) && detail.Outputs[number].State == "ok" {
		return detail, &detail.Outputs[number], true
	}
	p.problem(w, r, http.StatusNotFound, errors.New("there is no such output, or it is not made"))
	return detail, nil, false
}

// watchFile is a file of an output.
func (p *Pages) watchFile(w http.ResponseWriter, r *http.Request) {
	detail, output, ok := p.output(w, r)
	if !ok {
		return
	}
	file := r.PathValue("file")
	// The folder may have more in it than Weir has written: only what a player asks for.
	if typeOf(path.Ext(file)) == "" || path.Clean("/"+file) != "/"+file {
		p.nothing(w, r)
		return
	}
	p.pass(w, r, &detail.Transcode, &Object{Output: output, Path: file}, path.Ext(file))
}

// typeOf is the type of a file by its name's end; "": it is none that players need.
func typeOf(ext string) string {
	return map[string]string{
		".m3u8": "application/vnd.apple.mpegurl", ".ts": "video/mp2t", ".mp4": "video/mp4", ".m4s": "video/iso.segment", ".mpd": "application/dash+xml", ".jpg": "image/jpeg",
	}[ext]
}

// pass reads an object through this daemon: the browser needs no way to the storage, and
// no key, not even in a signed address, leaves the daemon.
func (p *Pages) pass(w http.ResponseWriter, r *http.Request, t *dbsqlc.Transcode, of *Object, ext string) {
	select {
	case p.playing <- struct{}{}:
		defer func() { <-p.playing }()
	default:
		w.Header().Set("Retry-After", "5")
		p.problem(w, r, http.StatusServiceUnavailable, errors.New("too much is played at once: come again in a moment"))
		return
	}
	stored, err := p.cfg.Objects.Read(r.Context(), t, of, r.Header.Get("Range"))
	switch {
	case errors.Is(err, ErrNoObject):
		p.problem(w, r, http.StatusNotFound, ErrNoObject)
		return
	case errors.Is(err, ErrNoRange):
		p.problem(w, r, http.StatusRequestedRangeNotSatisfiable, ErrNoRange)
		return
	case err != nil:
		p.warn(r.Context(), "object not read", err)
		p.problem(w, r, http.StatusBadGateway, errors.New("the storage did not give the object; the daemon's log says why"))
		return
	}
	defer stored.Body.Close()
	h := w.Header()
	h.Set("Content-Type", typeOf(ext))
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
	h.Set("Content-Length", strconv.FormatInt(stored.Length, 10))
	h.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	if stored.Range != "" {
		h.Set("Content-Range", stored.Range)
		status = http.StatusPartialContent
	}
	w.WriteHeader(status)
	control := http.NewResponseController(w)
	for {
		if control.SetWriteDeadline(time.Now().Add(playWrite)) != nil {
			return
		}
		if _, err := io.CopyN(w, stored.Body, pieceBytes); err != nil {
			return // its end, or the browser is gone; a storage that breaks off shows as a short answer
		}
	}
}
