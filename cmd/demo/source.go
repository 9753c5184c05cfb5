package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/devstack"
)

// containers are those that Mist reads and Weir takes.
func containers() []string { return []string{".ts", ".mp4", ".mov", ".mkv"} }

// localSource returns the path of the source as a local file: a new clip, the
// file of SOURCE, or a copy of what SOURCE's URL gives.
func localSource(ctx context.Context, source, dir string) (string, error) {
	if source == "" {
		path := filepath.Join(dir, "source.mp4")
		return path, devstack.MakeClip(ctx, path, devstack.Clip{})
	}
	u, err := url.Parse(source)
	remote := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	name := source
	if remote {
		name = u.Path
	}
	ext := strings.ToLower(filepath.Ext(name))
	if !slices.Contains(containers(), ext) {
		return "", fmt.Errorf("SOURCE=%s: give a file or http(s) URL that ends in %s", source, strings.Join(containers(), ", "))
	}
	if remote {
		path := filepath.Join(dir, "source"+ext)
		return path, download(ctx, source, path)
	}
	switch info, err := os.Stat(source); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("SOURCE=%s: there is no such file", source)
	case err != nil:
		return "", fmt.Errorf("SOURCE: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("SOURCE=%s: this is no file", source)
	}
	return source, nil
}

// download fails with one line that names the address.
func download(ctx context.Context, address, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("SOURCE=%s: %w", address, err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("SOURCE can't be reached: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("SOURCE=%s: the server answers %s", address, resp.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("keep SOURCE: %w", err)
	}
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("SOURCE=%s: download: %w", address, err)
	}
	return nil
}

// ladder is three profiles for a source of this size: its own, two thirds of
// it, and half.
func ladder(width, height int) []devstack.Profile {
	var profiles []devstack.Profile
	for _, step := range []struct{ of, in, bitrate int }{
		{1, 1, 3_000_000}, {2, 3, 1_500_000}, {1, 2, 800_000}, // bits a second, for 720p
	} {
		w, h := even(width*step.of/step.in), even(height*step.of/step.in)
		profiles = append(profiles, devstack.Profile{Name: fmt.Sprintf("%dp", h), Width: w, Height: h, Bitrate: step.bitrate})
	}
	return profiles
}

// even rounds down to what 4:2:0 pictures can have.
func even(n int) int { return n &^ 1 }
