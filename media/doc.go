// Package media is all that Weir does with ffmpeg and ffprobe: it probes a source, prepares it for
// MistProcLivepeer, finishes the file that a Mist push left, and judges the result.
//
//	Probe    what the source holds: best video, best audio, frames counted, not read from a header
//	Prepare  source.ts: the video alone, with padding behind it that Mist may lose
//	Finish   the pushed file without the padding, with the source's audio, from timestamp 0
//	Judge    the evidence that a finished file is the whole rendition
//
// # Time
//
// Every media time is in microseconds (fields ending in US) or, where Mist is told, in
// milliseconds (MS). The prepared file starts at DTS 0, and Mist keeps its time: media ms = DTS/90.
//
// # The hole before the padding
//
// MistProcLivepeer sends no part after its last cut and drops what is in flight at the end of its
// source, so the source is followed by copies of the start of its last GOP. The copies begin after
// a hole in the timeline, for two reasons. Mist cuts only at a keyframe at least 1 s after the last
// cut; the hole makes the first padding keyframe such a one whatever the GOP, so source and padding
// never share a segment. And a transcoder may reorder frames, so its DTS differ from the source's by
// some frames; a hole wider than that lets the push stop, and Finish trim, by time alone.
//
// # Safety
//
// A source is hostile until shown otherwise. Only container formats that hold their media
// themselves are opened (no playlists, whatever the file is called), only through the file
// protocol; paths are given as file: URLs, results come back through a pipe, and the children see
// none of the daemon's environment but PATH.
package media
