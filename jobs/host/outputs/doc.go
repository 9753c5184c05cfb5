// Package outputs makes what is asked of a transcode beside its renditions' files: it has
// them packaged, once, and writes what comes of it where players look for it, in an order
// in which whoever sees one object can read all that it names.
//
//	folder   <place>/<transcode>/<attempt>/hls/<rendition>/index.m3u8, 0.ts, 1.ts and on
//	         <place>/<transcode>/<attempt>/fmp4/init-*, chunk-*, and the renditions' playlists
//	by name  <place>/index.m3u8               the master of HLS
//	         <place>/<rendition>.mp4
//	         <place>/fmp4/master.m3u8, index.mpd
//	         <place>/thumbnails/thumbnails.vtt and its pictures
//	         the source copy, at its place itself
//
// What has a name of its own is signed by its attempt ([By]), and written over what was seen
// there before the fence and nothing else, where the server can compare; where it can't, what
// an earlier attempt had on its way may land behind, and is found ([Late]) and written anew.
//
// What lies in the folder is this attempt's alone: no other one writes there, and what an
// older master names stays as it is until its folder goes. What has a name of its own is
// written when all in the folder stands, and only by whoever owns the attempt just then
// ([Fence]). The masters of HLS come last of all.
//
// Nothing here knows rows. It may be repeated at any point: what is packaged is noted in the
// spool, and what is stored is found by its checksum.
package outputs
