// Package browser plays what Weir makes in a real browser: Debian's Chromium, headless, with hls.js
// for HLS, Shaka for DASH and the browser's own player for MP4. It is for tests alone; a browser that
// is missing is a failure (make setup installs it).
//
// Play, PlayMP4 and PlayDASH open an address, let it start, seek to the middle, switch through the
// rungs, and play on to the end, at a multiple of the speed; then they seek near the end and play that
// once more. What was seen is in the Report, and Require judges it.
//
// testdata has the two players as their packages on npm have them, unchanged, each with its licence:
// hls.js 1.7.4 (dist/hls.min.js, Apache-2.0) and shaka-player 5.2.12 (dist/shaka-player.dash-es2021.js,
// Apache-2.0).
package browser
