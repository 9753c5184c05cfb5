// Package pack makes what players ask for of renditions that are finished and judged: HLS, MP4,
// fragmented MP4 with its HLS and DASH manifests, and thumbnails. Picture and sound are copied; no
// frame is encoded again (thumbnails are pictures of their own).
//
//	HLS         a media playlist and MPEG-TS segments, each of which begins with a keyframe
//	Master      the playlist of playlists
//	MP4         one file with its tables in front
//	Fragmented  one set of fragments for an HLS master and a DASH manifest, for all rungs
//	Thumbnails  WebVTT and a picture a segment
//
// # Rungs
//
// A rung is a .ts with one H264 track and at most one of AAC, as media.Finish writes it: frames have
// their true times, which may lie minutes apart; groups of pictures are closed; keyframes have the
// tables before them. What lies before the first keyframe nobody can decode, and it is left out.
//
// # Time
//
// The rungs of one source share its time, but not where their files begin: a .ts begins with the
// first DTS, and how far that is before the first picture depends on the rung's encoder. Here the
// first picture or sound of a rung, whichever is earlier, is the zero, and it is the same for all
// rungs. In segments and fragments it lies at 10 s, as a DTS may be before it; MP4 counts from 0.
//
// Cuts are planned by the times of keyframes alone, so rungs with keyframes at the same times are
// cut at the same times, in HLS as in fragmented MP4 and in thumbnails.
//
// # Files
//
// Each result lists its files by names relative to the folder, in an order in which they may be
// uploaded: what names others comes after them. A call may be repeated; it writes the same files.
// After an error the folder holds an unknown part of them.
package pack
