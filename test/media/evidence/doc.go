// Package evidence looks at media files and listens to them, and says where one is not what it
// should be. It is apart from package media on purpose: what Weir has judged is judged again by
// something else. It needs ffmpeg and ffprobe in PATH.
package evidence
