package host

import (
	"context"

	"weir/db/dbsqlc"
	"weir/engine"
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
	return h.Engine.PlanSize(pictures(prepared), engine.Size{Width: int(r.Width), Height: int(r.Height)})
}

// planSizes writes down the sizes of an attempt's renditions. Those that are ok keep
// theirs.
func (h *Host) planSizes(ctx context.Context, tx dbsqlc.DBTX, attempt int32, renditions []dbsqlc.Rendition, prepared *media.Prepared) error {
	for i := range renditions {
		r := &renditions[i]
		got := h.sizePlan(r, prepared).Got
		if err := dbsqlc.New().RenditionPlan(ctx, tx, dbsqlc.RenditionPlanParams{
			TranscodeID: r.TranscodeID, Name: r.Name, Attempt: attempt,
			PlannedWidth: int32(got.Width), PlannedHeight: int32(got.Height),
		}); err != nil {
			return err
		}
	}
	return nil
}

// plannedSize is what the file of a rendition has to be; zero: nobody planned it.
func plannedSize(r *dbsqlc.Rendition) (size engine.Size) {
	if r.PlannedWidth != nil && r.PlannedHeight != nil {
		size.Width, size.Height = int(*r.PlannedWidth), int(*r.PlannedHeight)
	}
	return size
}

// frameRate is the rate that a rendition was asked for, in frames a second; 0: the source's.
func frameRate(r *dbsqlc.Rendition) float64 { return float64(r.FPS) / float64(max(r.FPSDen, 1)) }
