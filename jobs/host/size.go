package host

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"weir/db/dbsqlc"
	"weir/engine"
	"weir/jobs"
	"weir/media"
)

// pictures is the size of the pictures that Mist gets to read, as they are decoded:
// upright, with square pixels. Sizes are planned by nothing else.
func pictures(prepared *media.Prepared) engine.Size {
	return engine.Size{Width: prepared.Width, Height: prepared.Height}
}

// sizePlan plans a rendition's size. It is pure: prepare writes down what it says of
// the file, and start asks for what it says again.
func (h *Host) sizePlan(r *dbsqlc.Rendition, prepared *media.Prepared) engine.SizePlan {
	return h.Engine.PlanSize(pictures(prepared), askedSize(r, prepared))
}

// askedSize is the box that a rendition was asked for in: the source's size where none was.
func askedSize(r *dbsqlc.Rendition, prepared *media.Prepared) engine.Size {
	if r.Width == 0 && r.Height == 0 {
		return pictures(prepared)
	}
	return engine.Size{Width: int(r.Width), Height: int(r.Height)}
}

// planSizes writes down the sizes of an attempt's renditions. Those that are ok keep
// theirs.
func (s *supervisor) planSizes(ctx context.Context, tx dbsqlc.DBTX, renditions []dbsqlc.Rendition, prepared *media.Prepared) error {
	plan := dbsqlc.RenditionPlanParams{TranscodeID: s.name.Transcode, Attempt: s.number()}
	for i := range renditions {
		got := s.host.sizePlan(&renditions[i], prepared).Got
		plan.Names, plan.Widths, plan.Heights = append(plan.Names, renditions[i].Name), append(plan.Widths, int32(got.Width)), append(plan.Heights, int32(got.Height))
	}
	return dbsqlc.New().RenditionPlan(ctx, tx, plan)
}

// plannedSize is what the file of a rendition has to be; zero: nobody planned it.
func plannedSize(r *dbsqlc.Rendition) (size engine.Size) {
	if r.PlannedWidth != nil && r.PlannedHeight != nil {
		size.Width, size.Height = int(*r.PlannedWidth), int(*r.PlannedHeight)
	}
	return size
}

// keyframeBits of a pixel is what a picture takes that is coded without others.
const keyframeBits = 0.3

// judgedBitRate is what a rendition's bits are judged by. A ladder's are our guess by a
// source that may have been encoded with far more care than can be had here, with hardly a
// keyframe: no less than one a second.
func judgedBitRate(t *dbsqlc.Transcode, r *dbsqlc.Rendition) int64 {
	if !t.Ladder {
		return r.Bitrate
	}
	size := plannedSize(r)
	return max(r.Bitrate, int64(keyframeBits*float64(size.Width*size.Height)))
}

// frameRate is the rate that a rendition was asked for, in frames a second; 0: the source's.
func frameRate(r *dbsqlc.Rendition) float64 { return float64(r.FPS) / float64(max(r.FPSDen, 1)) }

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
func (h *Host) warningsOf(renditions []dbsqlc.Rendition, prepared *media.Prepared) []jobs.Warning {
	warnings := warningsOfMedia(prepared)
	for i := range renditions {
		r := &renditions[i]
		plan := h.sizePlan(r, prepared)
		if code, text := SizeWarning(askedSize(r, prepared), &plan); code != "" {
			warnings = append(warnings, jobs.Warning{Code: code, Text: text, Rendition: r.Name})
		}
		if r.Quality > 0 {
			warnings = append(warnings, jobs.Warning{Code: WarningQuality, Rendition: r.Name, Text: "quality " + strconv.Itoa(int(r.Quality)) + " is handed on, and whether a transcoder keeps to it can't be told; the bit rate is its bound"})
		}
		if gopVoid(r, prepared) {
			warnings = append(warnings, jobs.Warning{Code: WarningGOPVoid, Rendition: r.Name, Text: "asked for a keyframe every " + r.GOP + " s, it has those of the source's segments: its rate is no whole one for this source"})
		}
	}
	return warnings
}

// warningsOfMedia is what the preparation has to say.
func warningsOfMedia(prepared *media.Prepared) []jobs.Warning {
	warnings := []jobs.Warning{}
	for _, w := range prepared.Warnings {
		warnings = append(warnings, jobs.Warning{Code: w.Code, Text: w.Text})
	}
	return warnings
}

// SizeWarning tells why a size that was asked for is planned otherwise; no code: it is not.
func SizeWarning(asked engine.Size, plan *engine.SizePlan) (code, text string) {
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
	return code, fmt.Sprintf("asked for %dx%d, it is %dx%d: %s", asked.Width, asked.Height, plan.Got.Width, plan.Got.Height, strings.Join(reasons, ", "))
}

// gopVoid says whether the keyframes that were asked for can't be had. A Broadcaster
// counts gop x fps frames whatever fpsDen is (lpms, ffmpeg.go), so that of a rate in
// thousandths no segment is long enough.
func gopVoid(r *dbsqlc.Rendition, prepared *media.Prepared) bool {
	seconds, err := strconv.ParseFloat(r.GOP, 64)
	_, den := prepared.Ask(frameRate(r))
	return err == nil && seconds > 0 && den > 1
}
