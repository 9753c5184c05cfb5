package jobs

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"weir/db/dbsqlc"
	"weir/media"
	"weir/mist"
)

// Warning is what a transcode does otherwise than its request says, and does not
// fail for. It is stored in the transcode's row, so its JSON is a contract.
type Warning struct {
	// Code is one of docs/api.md's table.
	Code string `json:"code"`
	// Text is for people.
	Text string `json:"text"`
	// Rendition is the one that it is about; empty: all.
	Rendition string `json:"rendition,omitempty"`
}

// Codes of the warnings that arise in this package. A size has one of its four,
// that of the first reason in this order; its text has all of them.
const (
	WarningSizeClamped = "size_clamped"
	WarningSizeTurned  = "size_turned"
	WarningSizeAspect  = "size_aspect"
	WarningSizeStep    = "size_step"
	WarningGOPVoid     = "gop_void"
	// WarningQuality: it is handed on to the Broadcaster, whose transcoders may follow it
	// or not; nothing that comes back tells.
	WarningQuality = "quality_unverified"
)

// warningsOf is all that is to be said once a source is prepared: of the source as a
// whole first, then of each rendition.
func warningsOf(renditions []dbsqlc.Rendition, prepared *media.Prepared) []Warning {
	warnings := warningsOfMedia(prepared)
	for i := range renditions {
		r := &renditions[i]
		plan := sizePlan(r, prepared)
		if code, text := sizeDiffers(r, &plan); code != "" {
			warnings = append(warnings, Warning{code, text, r.Name})
		}
		if r.Quality > 0 {
			warnings = append(warnings, Warning{
				WarningQuality, "quality " + strconv.Itoa(int(r.Quality)) + " is handed on, and whether a transcoder keeps to it can't be told; the bit rate is its bound", r.Name,
			})
		}
		if gopVoid(r, prepared) {
			warnings = append(warnings, Warning{
				WarningGOPVoid, "asked for a keyframe every " + r.GOP + " s, it has those of the source's segments: its rate is no whole one for this source", r.Name,
			})
		}
	}
	return warnings
}

// warningsOfMedia is what the preparation has to say.
func warningsOfMedia(prepared *media.Prepared) []Warning {
	warnings := []Warning{}
	for _, w := range prepared.Warnings {
		warnings = append(warnings, Warning{Code: w.Code, Text: w.Text})
	}
	return warnings
}

// sizeDiffers tells why a rendition is not of the size that was asked for; no code: it is.
func sizeDiffers(r *dbsqlc.Rendition, plan *mist.SizePlan) (code, text string) {
	var reasons []string
	for _, reason := range []struct {
		is         bool
		code, text string
	}{
		{plan.Clamped, WarningSizeClamped, "Broadcasters make pictures of 146x50 to 4096x4096"},
		{plan.Turned, WarningSizeTurned, "it lies as the source does"},
		{plan.Aspect, WarningSizeAspect, "it keeps the source's aspect"},
		{plan.Stepped, WarningSizeStep, "its longer side has to be a multiple of 16"},
	} {
		if !reason.is {
			continue
		}
		if code == "" {
			code = reason.code
		}
		reasons = append(reasons, reason.text)
	}
	return code, fmt.Sprintf("asked for %dx%d, it is %dx%d: %s", r.Width, r.Height, plan.Got.Width, plan.Got.Height, strings.Join(reasons, ", "))
}

// gopVoid says whether the keyframes that were asked for can't be had. A Broadcaster
// counts gop x fps frames whatever fpsDen is (lpms, ffmpeg.go), so that of a rate in
// thousandths no segment is long enough.
func gopVoid(r *dbsqlc.Rendition, prepared *media.Prepared) bool {
	seconds, err := strconv.ParseFloat(r.GOP, 64)
	_, den := prepared.Ask(frameRate(r))
	return err == nil && seconds > 0 && den > 1
}

// WarningsOf reads the warnings in a transcode's row.
func WarningsOf(t *dbsqlc.Transcode) ([]Warning, error) {
	warnings := []Warning{}
	if len(t.Warnings) == 0 {
		return warnings, nil
	}
	if err := json.Unmarshal(t.Warnings, &warnings); err != nil {
		return nil, fmt.Errorf("read the warnings of %s: %w", t.ID, err)
	}
	return warnings, nil
}
