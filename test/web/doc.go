// Package web drives the operators' pages as people do: in Debian's Chromium, headless, over
// the whole system (the real daemon, Postgres, S3 server and ffmpeg, stand-ins for Mist and
// Livepeer). It is for tests alone; a browser that is missing is a failure (make setup
// installs it).
package web
