package checkup

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"weir/jobs/doctor"
)

const (
	// broadcasterMost is what one gets for a second of video; one that is well takes one.
	broadcasterMost = 15 * time.Second
	// broadcastersMost bounds them together.
	broadcastersMost = 20 * time.Second
	// triedMost of them are: each costs its owner a second of video.
	triedMost = 16
)

// lookAtBroadcasters sends each one second of video, and counts what comes back.
func (h *Host) lookAtBroadcasters(ctx context.Context) []doctor.Finding {
	if len(h.Broadcasters) == 0 {
		if h.Elsewhere {
			return []doctor.Finding{doctor.Wrong(doctor.Unknown, doctor.BroadcasterSegment, "", "name one in WEIR_BROADCASTERS to have it tried",
				"they are asked for at Livepeer's API, which is not done here: its answer is a session that costs")}
		}
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.BroadcasterSegment, "", "set WEIR_BROADCASTERS, or WEIR_LIVEPEER_TOKEN", "none is set")}
	}
	tried := h.Broadcasters[:min(len(h.Broadcasters), triedMost)]
	found := make(chan doctor.Finding)
	for _, address := range tried {
		go func() { found <- h.tryBroadcaster(ctx, address) }()
	}
	var all []doctor.Finding
	for range tried {
		all = append(all, <-found)
	}
	return all
}

func (h *Host) tryBroadcaster(ctx context.Context, address string) doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, broadcasterMost)
	defer cancel()
	subject := hostOf(address)
	transport := &http.Transport{DisableKeepAlives: true}
	text, err := h.Broadcast(ctx, &http.Client{Transport: transport}, address)
	if err != nil {
		return doctor.Wrong(doctor.Fail, doctor.BroadcasterSegment, subject, "", "%s", brief(err))
	}
	return doctor.Well(doctor.BroadcasterSegment, subject, "%s", text)
}

// hostOf is an address without what may be secret in it.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return "an address that is none"
	}
	return u.Host
}
