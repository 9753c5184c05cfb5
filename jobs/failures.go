package jobs

import (
	"errors"
	"fmt"

	"weir/media"
	"weir/mist"
	"weir/storage"
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
)

// Kind is a line of the failure table: all that is known of a failure by its code.
type Kind struct {
	Code  string
	Blame Blame
	// Retriable: another attempt, on another host where there is one, may help.
	Retriable bool
	// Words for people.
	Words string
}

// Codes of the failures that arise in this package; those of media and storage are
// named there.
const (
	CodeCancelled        = "cancelled"
	CodeProcessFailed    = "process_failed"
	CodeNothingReturned  = "nothing_returned"
	CodeRenditionMissing = "rendition_missing"
	CodeNoProgress       = "no_progress"
	CodePushFailed       = "push_failed"
	CodeMistUnavailable  = "mist_unavailable"
	CodeSecretUnreadable = "secret_unreadable"
	CodeSpoolReserve     = "spool_reserve"
	CodeHostLost         = "host_lost"
	CodeDeadline         = "deadline_exceeded"
	CodeInternal         = "internal"
)

// kinds is the failure table. A code that is not in it is a defect (a test looks).
var kinds = []Kind{
	{string(media.CodeSourceUnreadable), BlameInput, false, "The source is no video file that can be read: send MPEG-TS, MP4, MOV or MKV."},
	{string(media.CodeSourceNoVideo), BlameInput, false, "The source holds no video."},
	{string(media.CodeSourceUnsupportedCodec), BlameInput, false, "The source's video codec is not supported: send H.264, HEVC or MPEG-2."},
	{string(media.CodeSourceZeroDuration), BlameInput, false, "The source's video has no frames."},
	{string(media.CodeSourceTruncated), BlameInput, false, "The source ends before its header says: upload it again."},
	{string(media.CodeSourceUndecodable), BlameInput, false, "The source can't be decoded: it is damaged."},
	{string(media.CodeSourceEncrypted), BlameInput, false, "The source is encrypted."},
	{string(media.CodeSourceTooLong), BlameInput, false, "The source is too long."},
	{string(media.CodePrepareFailed), BlameInput, true, "The source could not be made ready for transcoding."},
	{string(media.CodePushEmpty), BlameLivepeer, true, "A rendition came back without a frame of the source."},
	{string(media.CodeFinishFailed), BlameWeir, true, "A rendition's video and audio could not be put together."},
	{string(media.CodeSpoolUnreadable), BlameHost, true, "A file on the host's spool was not there."},
	{string(media.CodeToolMissing), BlameHost, true, "ffmpeg or ffprobe is missing on the host: install ffmpeg."},
	{string(media.CodeToolKilled), BlameHost, true, "ffmpeg was killed on the host, most likely for want of memory."},

	{media.ProblemFramesMissing, BlameLivepeer, true, "A rendition came back without all frames of the source."},
	{media.ProblemTooShort, BlameLivepeer, true, "A rendition came back shorter than the source."},
	{media.ProblemWrongSize, BlameLivepeer, true, "A rendition came back with another size than asked for."},
	{media.ProblemAudioMissing, BlameWeir, true, "A rendition is without the source's audio."},
	{media.ProblemFramesExtra, BlameLivepeer, true, "A rendition came back with more frames than the source."},
	{media.ProblemTooLong, BlameLivepeer, true, "A rendition came back longer than the source."},
	{media.ProblemAudioShort, BlameWeir, true, "A rendition's audio is shorter than the source's."},
	{media.ProblemUnplayable, BlameLivepeer, true, "A rendition came back that does not play."},

	{string(storage.CodeCredentialsRefused), BlameStorage, false, "The storage refused the credentials: check key, secret and their rights."},
	{string(storage.CodeBucketMissing), BlameStorage, false, "The bucket does not exist."},
	{string(storage.CodeObjectMissing), BlameInput, false, "The source object does not exist, or was removed."},
	{string(storage.CodeS3Unavailable), BlameNetwork, true, "The storage did not answer, or not in time."},
	{string(storage.CodeS3Refused), BlameStorage, false, "The storage refused the request: check region and endpoint."},
	{string(storage.CodeSourceTooLarge), BlameInput, false, "The source is larger than allowed."},
	{string(storage.CodeSourceChanged), BlameInput, true, "The source changed while it was read."},
	{string(storage.CodeSourceUnreachable), BlameNetwork, true, "The source's server did not answer, or not in time."},
	{string(storage.CodeSourceRefused), BlameInput, false, "The source's server refused: check the URL and whether it has expired."},
	{string(storage.CodeSpoolFull), BlameHost, true, "The host's spool disk is full."},
	{string(storage.CodeSpoolReadonly), BlameHost, true, "The host's spool can't be written."},
	{string(storage.CodeSpoolFailed), BlameHost, true, "The host's spool disk failed."},
	{string(storage.CodeChecksumMismatch), BlameNetwork, true, "The storage received other bytes than were sent."},
	{string(storage.CodeUploadUnverified), BlameStorage, true, "An upload could not be confirmed."},
	{string(storage.CodeLocationInvalid), BlameInput, false, "A location can't be used for this."},

	{CodeCancelled, BlameStudio, false, "The transcode was cancelled."},
	{CodeProcessFailed, BlameHost, true, "MistProcLivepeer could not start with this source."},
	{CodeNothingReturned, BlameLivepeer, true, "No Broadcaster returned a rendition."},
	{CodeRenditionMissing, BlameLivepeer, true, "The Broadcaster did not return this rendition."},
	{CodeNoProgress, BlameLivepeer, true, "The transcode stood still."},
	{CodePushFailed, BlameHost, true, "Mist could not write the rendition to the spool."},
	{CodeMistUnavailable, BlameHost, true, "MistServer on the host did not answer."},
	{CodeSecretUnreadable, BlameWeir, false, "The stored credentials can't be opened: WEIR_SECRET_KEY is not the one they were sealed with."},
	{CodeSpoolReserve, BlameHost, true, "The host's spool has no room for this source."},
	{CodeDeadline, BlameLivepeer, true, "It took longer than a source of this size may take."},
	{CodeHostLost, BlameHost, true, "The host that worked on it was lost."},
	{CodeInternal, BlameWeir, true, "Weir failed; its log has more."},
}

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

// Failure is why something of a transcode failed. It is an error; Text may be shown
// to operators and to Studio and holds no secret.
type Failure struct {
	Code  string
	Stage Stage
	Text  string
}

// failed makes a failure: the table's words for code, and the detail behind them.
func failed(code string, stage Stage, detail string) *Failure {
	text := KindOf(code).Words
	if detail != "" {
		text += " (" + detail + ")"
	}
	return &Failure{Code: code, Stage: stage, Text: text}
}

// Error implements error.
func (f *Failure) Error() string { return fmt.Sprintf("%s at %s: %s", f.Code, f.Stage, f.Text) }

// Retriable says whether another attempt may help.
func (f *Failure) Retriable() bool { return KindOf(f.Code).Retriable }

// failureOf finds the failure in an error of a step.
func failureOf(err error, stage Stage) *Failure {
	if failure, ok := errors.AsType[*Failure](err); ok {
		return failure
	}
	if ofMedia, ok := errors.AsType[*media.Error](err); ok {
		return failed(string(ofMedia.Code), stage, ofMedia.Text)
	}
	if ofStorage, ok := errors.AsType[*storage.Error](err); ok {
		return failed(string(ofStorage.Code), stage, ofStorage.Error())
	}
	if ofMist, ok := errors.AsType[*mist.Error](err); ok {
		return failed(CodeMistUnavailable, stage, ofMist.Error())
	}
	return failed(CodeInternal, stage, err.Error())
}
