package jobs

import (
	"errors"
	"fmt"
	"regexp"
)

// Blame is who can mend a failure.
type Blame string

// Who can mend a failure.
const (
	BlameInput    Blame = "input"
	BlameStorage  Blame = "storage"
	BlameNetwork  Blame = "network"
	BlameHost     Blame = "host"
	BlameLivepeer Blame = "livepeer"
	BlameStudio   Blame = "studio"
	BlameWeir     Blame = "weir"
)

// Stage is where in a transcode something failed.
type Stage string

// The stages of a transcode that can fail.
const (
	StageQueue     Stage = "queue"
	StageFetch     Stage = "fetch"
	StageProbe     Stage = "probe"
	StagePrepare   Stage = "prepare"
	StageTranscode Stage = "transcode"
	StagePush      Stage = "push"
	StageStore     Stage = "store"
	StagePackage   Stage = "package"
)

// Kind is a line of the failure table: all that is known of a failure by its code.
// docs/errors.md shows the table, with what each side can do; a test compares them.
type Kind struct {
	Code  string
	Blame Blame
	// Retriable: another attempt, on another host where there is one, may help.
	Retriable bool
	// Eats: the attempt is one of the transcode's three. What does not eat is a fault of
	// ours, of the host's, or a wait for room: it is tried again until the run is a day old.
	Eats bool
	// Stages are those that it can arise in.
	Stages []Stage
	// Words for everybody.
	Words string
}

// Codes of the failures that arise in jobs and the packages below it, and of Mist. Those
// of media and storage are named there; a test of jobs/host holds them and the table
// together.
const (
	CodeCancelled        = "cancelled"
	CodeRequestRefused   = "request_refused"
	CodeExternalIDTaken  = "external_id_taken"
	CodeProcessFailed    = "process_failed"
	CodeStartHung        = "start_hung"
	CodeNothingReturned  = "nothing_returned"
	CodeRenditionMissing = "rendition_missing"
	CodeGatewayFull      = "gateway_full"
	CodeSegmentRejected  = "segment_rejected"
	CodeNoProgress       = "no_progress"
	CodePushFailed       = "push_failed"
	CodeMistUnavailable  = "mist_unavailable"
	CodeSecretUnreadable = "secret_unreadable"
	CodeLivepeerRefused  = "livepeer_refused"
	CodeStoreUnknown     = "store_unknown"
	CodeSpoolReserve     = "spool_reserve"
	CodeHostLost         = "host_lost"
	CodeNotTakenUp       = "not_taken_up"
	CodeStoreExpired     = "store_expired"
	CodePackageSlow      = "package_too_slow"
	CodeClipUntimed      = "clip_untimed"
	CodeRenditionGone    = "rendition_gone"
	CodeSpoolShare       = "spool_share"
	CodeFetchSlow        = "fetch_too_slow"
	CodePrepareSlow      = "prepare_too_slow"
	CodeDeadline         = "deadline_exceeded"
	CodeInternal         = "internal"
)

// What a kind's Retriable and Eats are called in one word.
const (
	final   = "never"
	counted = "three attempts"
	free    = "for a day"
)

// Retry says in a word whether, and how long, a failure is tried again.
func (k Kind) Retry() string {
	switch {
	case !k.Retriable:
		return final
	case k.Eats:
		return counted
	default:
		return free
	}
}

// kind makes a line of the table.
func kind(code string, blame Blame, retry string, stages []Stage, words string) Kind {
	return Kind{Code: code, Blame: blame, Retriable: retry != final, Eats: retry == counted, Stages: stages, Words: words}
}

// kinds is the failure table. A code that is not in it is a defect (a test looks).
var kinds = func() []Kind {
	var (
		queue   = []Stage{StageQueue}
		probe   = []Stage{StageProbe}
		prepare = []Stage{StagePrepare}
		work    = []Stage{StageTranscode}
		push    = []Stage{StagePush}
		store   = []Stage{StageStore}
		fetch   = []Stage{StageFetch}
		again   = []Stage{StageFetch, StagePackage}
		pack    = []Stage{StagePackage}
		taken   = []Stage{StageStore, StagePackage}
		s3      = []Stage{StageFetch, StageStore, StagePackage}
		read    = []Stage{StageProbe, StagePrepare}
		disk    = []Stage{StageFetch, StageProbe, StagePrepare, StageStore, StagePackage}
		tools   = []Stage{StageProbe, StagePrepare, StageStore, StagePackage}
		held    = []Stage{StageFetch, StageProbe, StagePrepare, StageTranscode, StagePush, StageStore, StagePackage}
		all     = []Stage{StageQueue, StageFetch, StageProbe, StagePrepare, StageTranscode, StagePush, StageStore, StagePackage}
	)
	return []Kind{
		kind("source_unreadable", BlameInput, final, read, "The source is no video file that can be read: send MP4, MOV, MKV, WebM, MPEG-TS or AVI."),
		kind("source_no_video", BlameInput, final, probe, "The source holds no video."),
		kind("source_unsupported_codec", BlameInput, final, probe, "The source's video codec is not known."),
		kind("source_zero_duration", BlameInput, final, read, "The source's video has no frames."),
		kind("source_truncated", BlameInput, final, read, "The source ends before its header says: upload it again."),
		kind("source_undecodable", BlameInput, final, read, "The source can't be decoded: it is damaged."),
		kind("source_encrypted", BlameInput, final, []Stage{StageFetch, StageProbe, StagePrepare}, "The source is encrypted."),
		kind("source_too_long", BlameInput, final, read, "The source is too long."),
		kind("source_bomb", BlameInput, final, read, "The source unpacks to far more than it is: make the file anew."),
		kind("source_picture_too_large", BlameInput, final, probe, "The source's picture is larger than 8192x4608."),
		kind("clip_outside", BlameInput, final, probe, "The source has no such part as the clip asks for."),
		kind(CodeClipUntimed, BlameInput, final, probe, "The clip's bounds are times of day, and the source's playlist tells none."),
		kind("pictures_damaged", BlameInput, counted, store, "Pictures of the source don't decode: it is encoded without them."),
		kind("prepare_failed", BlameInput, final, prepare, "The source could not be made ready for transcoding."),
		kind("push_empty", BlameLivepeer, counted, store, "A rendition came back without a frame of the source."),
		kind("finish_failed", BlameInput, final, store, "A rendition's video and the source's audio could not be put together."),
		kind("package_failed", BlameWeir, counted, pack, "A rendition could not be packaged for players."),
		kind("spool_unreadable", BlameHost, free, tools, "A file on the host's spool was not there."),
		kind("tool_missing", BlameHost, free, tools, "A program that the host needs is not installed on it."),
		kind("tool_killed", BlameHost, free, tools, "A program was killed on the host, most likely for want of memory."),

		kind("frames_missing", BlameLivepeer, counted, store, "A rendition came back without all frames of the source."),
		kind("frames_moved", BlameLivepeer, counted, store, "A rendition came back with frames at other times than the source's."),
		kind("keys_missing", BlameLivepeer, counted, store, "A rendition came back without a keyframe where a segment begins."),
		kind("bit_rate_exceeded", BlameLivepeer, counted, store, "A rendition came back with far more bits than were asked for."),
		kind("audio_moved", BlameWeir, final, store, "A rendition's sound is not where it was beside the picture."),
		kind("too_short", BlameLivepeer, counted, store, "A rendition came back shorter than the source."),
		kind("wrong_size", BlameLivepeer, counted, store, "A rendition came back with another size than asked for."),
		kind("audio_missing", BlameWeir, final, store, "A rendition is without the source's audio."),
		kind("frames_extra", BlameLivepeer, counted, store, "A rendition came back with more frames than the source."),
		kind("too_long", BlameLivepeer, counted, store, "A rendition came back longer than the source."),
		kind("audio_short", BlameWeir, final, store, "A rendition's audio is shorter than the source's."),
		kind("unplayable", BlameLivepeer, counted, store, "A rendition came back that does not play."),

		kind(CodeRenditionGone, BlameStorage, final, pack, "A rendition that was stored is not there any more, or is another one."),
		kind(CodePackageSlow, BlameHost, counted, pack, "The host took too long to make the outputs."),

		kind("s3_credentials_refused", BlameStorage, final, s3, "The storage refused the credentials: check key, secret and their rights."),
		kind("s3_bucket_missing", BlameStorage, final, s3, "The bucket does not exist."),
		kind("object_missing", BlameInput, final, s3, "The source object does not exist, or was removed."),
		kind("s3_unavailable", BlameNetwork, counted, s3, "The storage did not answer, or not in time, or is none that requests may reach."),
		kind("s3_refused", BlameStorage, final, s3, "The storage refused the request: check region and endpoint, and that it is an S3 server."),
		kind("source_too_large", BlameInput, final, again, "The source is larger than allowed."),
		kind("source_changed", BlameInput, counted, again, "The source changed while it was read."),
		kind("source_too_slow", BlameInput, counted, again, "The source's server sends less than 256 kbit/s."),
		kind("source_unreachable", BlameNetwork, counted, again, "The source's server did not answer, or not in time, or is none that requests may reach."),
		kind("source_refused", BlameInput, final, again, "The source's server refused: check the URL and whether it has expired."),
		kind("playlist_unreadable", BlameInput, final, fetch, "The source's playlist can't be read."),
		kind("playlist_live", BlameInput, final, fetch, "The source's playlist is still being written: send it once it has ended."),
		kind("playlist_unsupported", BlameInput, final, fetch, "The source's playlist is of a kind that can't be brought into one file."),
		kind("spool_full", BlameHost, free, disk, "The host's spool disk is full."),
		kind("spool_readonly", BlameHost, free, disk, "The host's spool can't be written."),
		kind("spool_failed", BlameHost, free, disk, "The host's spool disk failed."),
		kind("checksum_mismatch", BlameNetwork, counted, s3, "The storage received other bytes than were sent."),
		kind("upload_unverified", BlameStorage, counted, taken, "An upload could not be confirmed."),
		kind(CodeStoreExpired, BlameStorage, final, taken, "The storage did not take a rendition for a day."),
		kind("key_too_long", BlameInput, final, s3, "The name of an output's object is too long: use a shorter folder or shorter names."),
		kind("location_invalid", BlameInput, final, s3, "A location can't be used for this."),

		kind(CodeCancelled, BlameStudio, final, all, "The transcode was cancelled."),
		kind(CodeRequestRefused, BlameInput, final, queue, "The request can't be accepted as it is."),
		kind(CodeExternalIDTaken, BlameInput, final, queue, "This external_id was used for a different request."),
		kind(CodeProcessFailed, BlameHost, free, work, "The host could not start the transcode."),
		kind(CodeStartHung, BlameHost, free, work, "The transcode hung at its start, several times over."),
		kind(CodeNothingReturned, BlameLivepeer, counted, work, "No Broadcaster returned a rendition."),
		kind(CodeRenditionMissing, BlameLivepeer, counted, work, "The Broadcaster did not return this rendition."),
		kind(CodeGatewayFull, BlameLivepeer, free, []Stage{StageTranscode, StageStore}, "The Broadcaster has no room for another stream now."),
		kind(CodeSegmentRejected, BlameLivepeer, counted, []Stage{StageTranscode, StageStore}, "The Broadcaster refused a part of the source."),
		kind(CodeNoProgress, BlameLivepeer, counted, work, "The transcode stood still."),
		kind(CodePushFailed, BlameHost, free, push, "The host could not write the rendition to its spool."),
		kind(CodeMistUnavailable, BlameHost, free, held, "The media server on the host did not answer."),
		kind(CodeSecretUnreadable, BlameWeir, final, s3, "The stored credentials can't be opened: the daemons have another key than they were sealed with."),
		kind(CodeLivepeerRefused, BlameInput, final, fetch, "The Livepeer API that the request names is none that requests may use here."),
		kind(CodeStoreUnknown, BlameStorage, free, s3, "No store of the tenant leads where an s3:// location points: an operator has removed or changed it."),
		kind(CodeSpoolReserve, BlameHost, free, fetch, "The host's spool has no room for this source."),
		kind(CodeSpoolShare, BlameStorage, free, fetch, "Renditions that wait for their storage hold all the room that one tenant may have on the host."),
		kind(CodeFetchSlow, BlameNetwork, counted, fetch, "The source came too slowly."),
		kind(CodePrepareSlow, BlameHost, counted, read, "The host took too long to make the source ready."),
		kind(CodeDeadline, BlameHost, counted, work, "Transcoding took longer than a source of this length may take."),
		kind(CodeNotTakenUp, BlameHost, free, fetch, "The host that was to work on it did not begin."),
		kind(CodeHostLost, BlameHost, free, held, "The host that worked on it was lost."),
		kind(CodeInternal, BlameWeir, free, all, "Weir failed; its operators see why."),
	}
}()

// Kinds is the failure table.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// KindOf is the table's line for code; that of CodeInternal for one that is not in it.
func KindOf(code string) Kind {
	internal := Kind{}
	for _, kind := range kinds {
		if kind.Code == code {
			return kind
		}
		if kind.Code == CodeInternal {
			internal = kind
		}
	}
	return internal
}

// Failure is why something of a transcode failed. It is an error.
type Failure struct {
	Code  string
	Stage Stage
	// Text is for everybody: it holds no process, stream, path or log of a host.
	Text string
	// Detail is for operators alone; it holds no secret. It may be empty.
	Detail string
}

// Failed makes a failure: the table's words for code, and a detail for operators.
func Failed(code string, stage Stage, detail string) *Failure {
	return &Failure{Code: code, Stage: stage, Text: KindOf(code).Words, Detail: detail}
}

// Expired is what a store fails with that was tried in vain for [StorePatience]: nobody
// waits for another attempt to try it for as long. A fault of the host's stays what it is.
func Expired(trouble *Failure) *Failure {
	switch KindOf(trouble.Code).Blame {
	case BlameStorage, BlameNetwork:
		return Failed(CodeStoreExpired, StageStore, trouble.Error())
	default:
		return trouble
	}
}

// inside is what of a host's inside may get into a text for everybody: paths, stream
// names, processes, several lines. URLs are no paths.
var inside = regexp.MustCompile(`(^|[\s"'(=:\[])/[\w.]|tr_(src|rend)_|[0-9a-f]{32}|\b(pid|process)\b|Mist[A-Z]|\n`)

// At is f at another stage.
func (f *Failure) At(stage Stage) *Failure {
	at := *f
	at.Stage = stage
	return &at
}

// Telling adds a text for everybody, if it is fit for that.
func (f *Failure) Telling(text string) *Failure {
	const longest = 300 // in bytes; more is a log
	if text != "" && len(text) <= longest && !inside.MatchString(text) {
		f.Text += " (" + text + ")"
	}
	return f
}

// Error implements error. It is for operators.
func (f *Failure) Error() string {
	text := fmt.Sprintf("%s at %s: %s", f.Code, f.Stage, f.Text)
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	return text
}

// Retriable says whether another attempt may help.
func (f *Failure) Retriable() bool { return KindOf(f.Code).Retriable }

// Eats says whether the attempt counts.
func (f *Failure) Eats() bool { return KindOf(f.Code).Eats }

// coded is an error of a package that this one does not know: it brings its line of the
// failure table.
type coded interface {
	error
	// FailureCode is the line's code.
	FailureCode() string
	// FailureText is more for everybody; it may be empty. What of a host's inside is in it
	// is left out ([Failure.Telling]).
	FailureText() string
}

// FailureOf finds the failure in an error of a step.
func FailureOf(err error, stage Stage) *Failure {
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure
	}
	if of, ok := errors.AsType[coded](err); ok {
		return Failed(of.FailureCode(), stage, of.Error()).Telling(of.FailureText())
	}
	return Failed(CodeInternal, stage, err.Error())
}
