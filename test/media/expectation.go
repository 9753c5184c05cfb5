package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"weir/test/media/footage"
)

// tableName is the file beside the media that says what is right for each.
const tableName = "cases.tsv"

// An expectation is a line of a folder's table.
type expectation struct {
	file    string
	outcome string
	frames  int     // 0: as the file's own decode has it
	aspect  float64 // 0: the same
}

// expectations are a folder's, of its table or of each media file in it where it has none.
func expectations(dir string) ([]expectation, error) {
	table, err := os.Open(filepath.Join(dir, tableName))
	if errors.Is(err, fs.ErrNotExist) {
		return mediaFiles(dir)
	}
	if err != nil {
		return nil, err
	}
	defer table.Close()
	var all []expectation
	lines := bufio.NewScanner(table)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		e, err := expectationOf(strings.Split(line, "\t"))
		if err != nil {
			return nil, fmt.Errorf("%s line %d: %w", table.Name(), n, err)
		}
		all = append(all, e)
	}
	return all, lines.Err()
}

// expectationOf reads a line: file, outcome, frames, display aspect, note; from the third on they
// may be missing.
func expectationOf(columns []string) (expectation, error) {
	e := expectation{file: columns[0], outcome: footage.OutcomeOK}
	column := func(i int) string {
		if i < len(columns) {
			return strings.TrimSpace(columns[i])
		}
		return ""
	}
	switch outcome := column(1); outcome {
	case "", footage.OutcomeOK:
	case footage.OutcomeFailed:
		e.outcome = outcome
	default:
		return e, fmt.Errorf("outcome %q: give ok or failed", outcome)
	}
	if frames := column(2); frames != "" {
		n, err := strconv.Atoi(frames)
		if err != nil || n <= 0 {
			return e, fmt.Errorf("frames %q: give a number", frames)
		}
		e.frames = n
	}
	if aspect := column(3); aspect != "" {
		w, h, _ := strings.Cut(aspect, ":")
		width, err1 := strconv.ParseFloat(w, 64)
		height, err2 := strconv.ParseFloat(h, 64)
		if err1 != nil || err2 != nil || width <= 0 || height <= 0 {
			return e, fmt.Errorf("display aspect %q: give it as 16:9", aspect)
		}
		e.aspect = width / height
	}
	return e, nil
}

// mediaEndings are files that a folder without a table is searched for.
var mediaEndings = []string{".ts", ".m2ts", ".mts", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".mpg", ".3gp", ".mxf", ".wmv"}

func mediaFiles(dir string) ([]expectation, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []expectation
	for _, entry := range entries {
		if entry.Type().IsRegular() && slices.Contains(mediaEndings, strings.ToLower(filepath.Ext(entry.Name()))) {
			all = append(all, expectation{file: entry.Name(), outcome: footage.OutcomeOK})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no media files in it (%s), and no %s", dir, strings.Join(mediaEndings, " "), tableName)
	}
	return all, nil
}
