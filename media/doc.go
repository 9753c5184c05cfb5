// Package media is all that Weir does with ffmpeg and ffprobe: it probes a source, prepares it for
// MistProcLivepeer, finishes the file that a Mist push left, and judges the result.
//
//	Probe    what the source holds: best video, best audio, every packet counted, not read from a header
//	Prepare  source.ts: the video alone, on an even clock, with padding behind it that Mist may lose
//	Follow   decodes and finishes what a push writes while it does, so that little is left when it is over
//	Finish   the pushed file without the padding, every frame at its own time, with the source's audio
//	Judge    the evidence that a finished file is the whole rendition
//
// # Time
//
// Times of files are in microseconds (fields ending in US), those of the clock and of frames in 90 kHz
// ticks, and where Mist is told in milliseconds (MS). A source's frames have true times ([timeline]);
// in the prepared file they lie on an even clock ([clock]), which is all that Mist and a Broadcaster
// ever see; Finish turns the clock's times back into true ones. Progress, speed and durations speak of
// true time, StopMS and SegmentMS of the clock.
//
// # Segments
//
// MistProcLivepeer cuts at a keyframe at least 1 s after the last cut. Every place where it will cut is
// planned: there a segment begins, on a whole second of the clock, behind a hole in which nothing
// lies. Mist starts each part that comes back at its source's DTS, so a frame that came back is found by
// the segment that its DTS falls into and by its place in it. The padding is twelve more segments.
//
// # Safety
//
// A source is hostile until shown otherwise. Only container formats that hold their media
// themselves are opened (no playlists, whatever the file is called), only through the file
// protocol; paths are given as file: URLs, results come back through a pipe, and the children see
// none of the daemon's environment but PATH.
package media
