package media

import "fmt"

// A Code says what went wrong in a word that is stored, shown and branched on.
type Code string

// The codes of this package. Those that start with source_ are the input's fault and final; a
// retry of the others can help.
const (
	CodeSourceUnreadable       Code = "source_unreadable"        // no container that we open
	CodeSourceNoVideo          Code = "source_no_video"          // audio only, or cover art only
	CodeSourceUnsupportedCodec Code = "source_unsupported_codec" // a codec that ffmpeg does not know
	CodeSourceZeroDuration     Code = "source_zero_duration"     // a video track without frames
	CodeSourceTruncated        Code = "source_truncated"         // ends long before its header says
	CodeSourceEncrypted        Code = "source_encrypted"         // its packets need a key
	CodeSourceUndecodable      Code = "source_undecodable"       // broken: no picture decodes
	CodeSourceTooLong          Code = "source_too_long"          // more than MPEG-TS timestamps can count
	CodeSourceBomb             Code = "source_bomb"              // unpacks to far more than it is
	CodeSourcePictureTooLarge  Code = "source_picture_too_large" // takes gigabytes to decode

	// CodeClipOutside: the source has no such part.
	CodeClipOutside Code = "clip_outside"

	// CodePicturesDamaged: pictures that were copied don't decode. Encoded (Options.Encode) the
	// others go out.
	CodePicturesDamaged Code = "pictures_damaged"

	CodePrepareFailed Code = "prepare_failed" // the prepared file is not what was promised
	CodePushEmpty     Code = "push_empty"     // the pushed file holds no source frame
	CodeFinishFailed  Code = "finish_failed"  // video and audio could not be put together

	CodePackageFailed Code = "package_failed" // no HLS, MP4 or thumbnails could be made of a rendition

	CodeSpoolFull       Code = "spool_full"       // ENOSPC or EDQUOT while writing
	CodeSpoolUnreadable Code = "spool_unreadable" // a file that should be there is not, or cannot be opened
	CodeToolMissing     Code = "tool_missing"     // ffmpeg or ffprobe cannot be started
	CodeToolKilled      Code = "tool_killed"      // ffmpeg or ffprobe died by a signal that was not ours
)

// An Error is what every function of this package returns when it fails, except when its context
// ended first (then errors.Is finds the context's error). Find it with errors.As.
type Error struct {
	Code Code
	Op   string // probe, prepare, finish, judge, package
	Path string // the local file it was about
	Text string // one or two sentences for people, free of paths
	Err  error  // the cause, with the end of ffmpeg's own words; may be nil
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("%s %s: %s", e.Op, e.Path, e.Text)
	}
	return fmt.Sprintf("%s %s: %s: %v", e.Op, e.Path, e.Text, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// FailureCode is for the table of failures.
func (e *Error) FailureCode() string { return string(e.Code) }

// FailureText is what everybody may read of it.
func (e *Error) FailureText() string { return e.Text }

// Codes lists the codes of this package.
func Codes() []Code {
	return []Code{
		CodeSourceUnreadable, CodeSourceNoVideo, CodeSourceUnsupportedCodec, CodeSourceZeroDuration,
		CodeSourceTruncated, CodeSourceEncrypted, CodeSourceUndecodable, CodeSourceTooLong, CodeSourceBomb,
		CodeSourcePictureTooLarge, CodeClipOutside, CodePicturesDamaged, CodePrepareFailed,
		CodePushEmpty, CodeFinishFailed, CodePackageFailed, CodeSpoolFull, CodeSpoolUnreadable, CodeToolMissing, CodeToolKilled,
	}
}

// Problems lists the codes of what can be wrong with a rendition.
func Problems() []string {
	return []string{
		ProblemUnplayable, ProblemFramesMissing, ProblemFramesExtra, ProblemFramesMoved, ProblemKeysMissing, ProblemTooShort,
		ProblemTooLong, ProblemWrongSize, ProblemBitRate, ProblemAudioMissing, ProblemAudioShort, ProblemAudioMoved,
	}
}
