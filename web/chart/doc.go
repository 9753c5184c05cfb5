// Package chart lays out pictures of numbers: where each column and each span stands. What
// they look like is the pages' style, and templates write them as SVG.
package chart
