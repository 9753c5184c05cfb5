package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"weir/db/dbsqlc"
	"weir/secret"
)

// The states of an output.
const (
	OutputExpected = "expected"
	OutputOK       = "ok"
	OutputFailed   = "failed"
	// OutputSkipped: there is none, for a reason that its row tells.
	OutputSkipped = "skipped"
)

// OutputTypes lists the types of an output.
func OutputTypes() []string {
	return []string{OutputTS, OutputHLS, OutputMP4, OutputFMP4, OutputSource, OutputThumbnails}
}

// ForBrowsers says whether what is made of the renditions is for players that know no
// other sound than AAC.
func ForBrowsers(outputs []dbsqlc.Output) bool {
	return slices.ContainsFunc(outputs, func(o dbsqlc.Output) bool {
		return o.Type == OutputHLS || o.Type == OutputMP4 || o.Type == OutputFMP4
	})
}

// errTSElsewhere: the files of the renditions lie in one place.
var errTSElsewhere = errors.New("an output of plain files lies at the request's own output")

// Packages says whether more is made of the renditions than their files.
func (r *Request) Packages() bool {
	return slices.ContainsFunc(r.Outputs, func(o Output) bool { return o.Type != OutputTS })
}

// newOutputs are rows.
type newOutputs dbsqlc.OutputInsertParams

func (n *newOutputs) add(sealer *secret.Sealer, id uuid.UUID, req *Request) error {
	for i, o := range req.Outputs {
		if o.Type == OutputTS && o.URL != req.OutputURL {
			return fmt.Errorf("output %d: %w", i, errTSElsewhere)
		}
		n.TranscodeIds = append(n.TranscodeIds, id)
		n.Ordinals, n.Types, n.Urls = append(n.Ordinals, int32(i)), append(n.Types, o.Type), append(n.Urls, o.Shown)
		n.Sealed = append(n.Sealed, sealer.Seal([]byte(o.URL), SealedOutputOf(int32(i)).of(id)))
		n.SegmentMs, n.OnlyShort = append(n.SegmentMs, int32(o.Segment.Milliseconds())), append(n.OnlyShort, o.OnlyShort)
	}
	return nil
}

func (n *newOutputs) insert(ctx context.Context, tx dbsqlc.DBTX) error {
	if len(n.Types) == 0 {
		return nil
	}
	if err := dbsqlc.New().OutputInsert(ctx, tx, dbsqlc.OutputInsertParams(*n)); err != nil {
		return fmt.Errorf("insert %d outputs: %w", len(n.Types), err)
	}
	return nil
}

// OutputNames are the objects that an output of a type writes by names of their own,
// relative to its place: what no two may write. "" is the place itself.
func OutputNames(kind string, profiles []Profile) (names []string) {
	switch kind {
	case OutputTS:
		names = append(names, "(renditions)") // each has a folder with its transcode's id
	case OutputHLS:
		names = append(names, "index.m3u8")
	case OutputMP4:
		for _, p := range profiles {
			names = append(names, p.Name+".mp4")
		}
	case OutputFMP4:
		names = append(names, "fmp4/master.m3u8", "fmp4/index.mpd")
	case OutputThumbnails:
		names = append(names, "thumbnails/thumbnails.vtt")
	case OutputSource:
		names = append(names, "")
	}
	return names
}

// The kinds of a [StoredObject].
const (
	// ObjectMaster is where a player begins.
	ObjectMaster = "master"
	// ObjectPlaylist is a rendition's.
	ObjectPlaylist = "playlist"
	// ObjectSegments stands for all segments of a rendition, or of all of them.
	ObjectSegments = "segments"
	// ObjectFile is a whole file.
	ObjectFile = "file"
	// ObjectPictures stands for all pictures that a playlist names.
	ObjectPictures = "pictures"
)

// StoredObject is what was written for an output, as its row keeps it: one object, or
// many that are summed up.
type StoredObject struct {
	Kind string `json:"kind"`
	// Rendition is the one that it is made of, "" for all.
	Rendition string `json:"rendition,omitempty"`
	// URL has no secret. That of many is their folder.
	URL   string `json:"url"`
	Bytes int64  `json:"bytes"`
	// Checksum is as of today's objects. That of many is over their names, bytes and
	// checksums, in order.
	Checksum string `json:"checksum"`
	// Objects is how many there are.
	Objects int `json:"objects"`
	// Width, Height and BitRate are a file's.
	Width   int   `json:"width,omitempty"`
	Height  int   `json:"height,omitempty"`
	BitRate int64 `json:"bit_rate,omitempty"`
}

// ObjectsOf reads what was written for an output.
func ObjectsOf(o *dbsqlc.Output) (objects []StoredObject, err error) {
	if o.Objects == nil {
		return nil, nil
	}
	if err := json.Unmarshal(o.Objects, &objects); err != nil {
		return nil, fmt.Errorf("read what output %d of %s is: %w", o.Ordinal, o.TranscodeID, err)
	}
	return objects, nil
}

// beginPackage begins to make the outputs of an attempt whose renditions are all ok, by a
// job of its host, unless it has begun.
func (d Decider) beginPackage(ctx context.Context, t *dbsqlc.Transcode) error {
	a, err := dbsqlc.New().AttemptGet(ctx, d.Tx, dbsqlc.AttemptGetParams{TranscodeID: t.ID, Number: t.Attempt})
	if err != nil {
		return err
	}
	if a.PackageFrom != nil {
		return nil // a job that is lost gets another by reconcile
	}
	return d.InsertPackage(ctx, PackageArgs{TranscodeID: t.ID, Attempt: t.Attempt}, StoreQueue(a.HostID))
}

// FailPackage fails the outputs of an attempt, and settles. The caller holds the
// transcode's lock.
func (d Decider) FailPackage(ctx context.Context, id uuid.UUID, attempt int32, f *Failure) error {
	t, err := dbsqlc.New().TranscodeGetForUpdate(ctx, d.Tx, id)
	if err != nil {
		return err
	}
	if !Works(&t, attempt) {
		return nil
	}
	if err := d.failOutputs(ctx, id, f); err != nil {
		return err
	}
	return d.Settle(ctx, id, attempt)
}

// failOutputs: nothing of the transcode is made any more.
func (d Decider) failOutputs(ctx context.Context, id uuid.UUID, f *Failure) error {
	return dbsqlc.New().OutputFailOpen(ctx, d.Tx, dbsqlc.OutputFailOpenParams{
		TranscodeID: id, ErrorCode: f.Code, ErrorStage: string(f.Stage), ErrorMessage: f.Text, ErrorDetail: f.Detail,
	})
}

func outputFailure(o *dbsqlc.Output) *Failure {
	if o.ErrorCode == nil || o.ErrorStage == nil || o.ErrorMessage == nil {
		return Failed(CodeInternal, StagePackage, "an output failed without saying why")
	}
	f := &Failure{Code: *o.ErrorCode, Stage: Stage(*o.ErrorStage), Text: *o.ErrorMessage}
	if o.ErrorDetail != nil {
		f.Detail = *o.ErrorDetail
	}
	return f
}
