package mist

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// ShmDir is where Mist keeps its shared memory: POSIX's own place on Linux.
const ShmDir = "/dev/shm"

// streamName finds a stream of ours in a longer text.
var streamName = regexp.MustCompile(`tr_(?:src_|rend_\+)[0-9a-f]{32}_[0-9]+`)

// pagePrefixes are those of Mist's pages (MstData, MstMeta, MstTrak, MstSTATE, ...) and
// of its semaphores.
var pagePrefixes = []string{"Mst", "sem.Mst"}

// Page is a piece of shared memory that belongs to one of our streams. Mist gives it
// back when the stream ends; an input that is killed leaves its own for ever.
type Page struct {
	Path  string
	Name  Name
	Bytes int64
	// MadeAt is when it was made: what is written into it does not change that.
	MadeAt time.Time
}

// FindPages lists the pages of our streams in dir, whoever made them.
func FindPages(dir string) ([]Page, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("mist: list shared memory: %w", err)
	}
	var pages []Page
	for _, entry := range entries {
		name, ok := pageOf(entry.Name())
		if !ok {
			continue
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // given back meanwhile
		}
		if err != nil {
			return nil, fmt.Errorf("mist: list shared memory: %w", err)
		}
		pages = append(pages, Page{Path: filepath.Join(dir, entry.Name()), Name: name, Bytes: info.Size(), MadeAt: info.ModTime()})
	}
	return pages, nil
}

// pageOf reads the name of a page: a prefix, the stream, and behind an @ which part of
// it.
func pageOf(file string) (Name, bool) {
	for _, prefix := range pagePrefixes {
		if !strings.HasPrefix(file, prefix) {
			continue
		}
		place := streamName.FindStringIndex(file)
		if place == nil || place[1] < len(file) && file[place[1]] != '@' {
			return Name{}, false
		}
		name, err := ParseName(file[place[0]:place[1]])
		return name, err == nil
	}
	return Name{}, false
}

// sessionProgram counts who used a stream, and goes some 15 s after its last user; it
// holds nothing of the stream's own.
const sessionProgram = "MistSession"

// NamesInUse are those that a program of Mist works for now: they are in its
// arguments, or it runs in a spool folder that bears one. Sessions don't count.
func NamesInUse() (map[Name]bool, error) {
	pids, err := listPIDs()
	if err != nil {
		return nil, fmt.Errorf("mist: list processes: %w", err)
	}
	used := map[Name]bool{}
	for _, pid := range pids {
		s, err := readStat(pid)
		if err != nil || s.zombie() || !strings.HasPrefix(s.comm, "Mist") || s.comm == sessionProgram {
			continue
		}
		if args, err := readArgs(pid); err == nil {
			for _, found := range streamName.FindAllString(strings.Join(args, " "), -1) {
				if name, err := ParseName(found); err == nil {
					used[name] = true
				}
			}
		}
		if dir, err := os.Readlink(procPath(pid, "cwd")); err == nil {
			if name, err := ParseName(filepath.Base(strings.TrimSuffix(dir, " (deleted)"))); err == nil {
				used[name] = true
			}
		}
	}
	return used, nil
}
