package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// message is one of govulncheck's.
type message struct {
	Config  *struct{} `json:"config"`
	Finding *struct {
		OSV   string `json:"osv"`
		Fixed string `json:"fixed_version"`
		Trace []struct {
			Module   string `json:"module"`
			Version  string `json:"version"`
			Package  string `json:"package"`
			Function string `json:"function"`
		} `json:"trace"`
	} `json:"finding"`
}

func judge(from io.Reader, to io.Writer) error {
	ours, gos := map[string]bool{}, map[string]bool{}
	whole := false
	decoder := json.NewDecoder(from)
	for {
		var m message
		err := decoder.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read what govulncheck says: %w", err)
		}
		whole = whole || m.Config != nil
		f := m.Finding
		if f == nil || len(f.Trace) == 0 || f.Trace[0].Function == "" { // it is there, and not called
			continue
		}
		at := f.Trace[0]
		line := fmt.Sprintf("%s in %s@%s, mended in %s: https://pkg.go.dev/vuln/%s", f.OSV, at.Package, at.Version, f.Fixed, f.OSV)
		if at.Module == "stdlib" {
			gos[line] = true
		} else {
			ours[line] = true
		}
	}
	if !whole {
		return errors.New("govulncheck said nothing: see its errors above")
	}
	if len(gos) > 0 {
		fmt.Fprintf(to, "vulncheck: %d in this Go; build with a newer one:\n  %s\n", len(gos), lines(gos))
	}
	if len(ours) > 0 {
		return fmt.Errorf("%d in modules that we call:\n  %s", len(ours), lines(ours))
	}
	fmt.Fprintln(to, "vulncheck: none in modules that we call")
	return nil
}

func lines(set map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(set)), "\n  ")
}
