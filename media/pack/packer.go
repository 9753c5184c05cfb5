package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"weir/media"
)

// A Packer packages. It is safe for use by many goroutines; two calls must not share a folder.
type Packer struct {
	Tools *media.Tools // nil: those in PATH
}

// A Rung is one rendition.
type Rung struct {
	Name          string  // in names of playlists and errors
	File          string  // the verified .ts
	Width, Height int     // as shown
	FrameRate     float64 // frames a second; 0: counted
}

// tools are the programs.
func (p Packer) tools() *media.Tools {
	if p.Tools != nil {
		return p.Tools
	}
	return &media.Tools{}
}

// failed gives an error of packaging its code, and says what was to be made of which rung. Errors
// of media pass: they have both.
func failed(what string, rung Rung, err error) error {
	var known *media.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &known):
		return fmt.Errorf("package %s as %s: %w", rung.Name, what, err)
	}
	code, text := media.CodePackageFailed, fmt.Sprintf("the rendition %s could not be packaged as %s", rung.Name, what)
	var refused refusal
	var path *fs.PathError
	switch {
	case errors.As(err, &refused):
		text += ": " + string(refused)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		code, text = media.CodeSpoolFull, "the spool's disk is full; free some room or give the spool more"
	case errors.As(err, &path):
		code, text = media.CodeSpoolUnreadable, "a file in the spool cannot be read or written"
	}
	return &media.Error{Code: code, Op: "package", Path: rung.File, Text: text, Err: err}
}

// A refusal is why a file can't be packaged, for people.
type refusal string

func (r refusal) Error() string { return string(r) }
