// Package web drives the operators' pages as people do: in Debian's Chromium, headless, over
// the whole system (the real daemon, Postgres, S3 server and ffmpeg, stand-ins for Mist and
// Livepeer). It is for tests alone; a browser that is missing is a failure (make setup
// installs it). Run with -update it writes docs/screenshots.
//
// testdata has axe-core 4.14.1 (axe.min.js, MPL-2.0) as its package on npm has it, unchanged.
package web
