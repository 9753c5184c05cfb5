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
	// askMost is what Livepeer's API gets to name them.
	askMost = 5 * time.Second
	// broadcastersMost bounds all of it together.
	broadcastersMost = 20 * time.Second
	// triedMost of them are: each costs its owner a second of video.
	triedMost = 16
)

// Session is what Livepeer's API gave: its Broadcasters, how to send a segment to them as of
// it, and how to have it removed there.
type Session struct {
	Addresses []string
	Send      Broadcast
	End       func(ctx context.Context, client *http.Client) error
}

// lookAtBroadcasters sends each one second of video, and counts what comes back.
func (h *Host) lookAtBroadcasters(ctx context.Context) []doctor.Finding {
	addresses, send := h.Broadcasters, h.Broadcast
	var session Session
	if len(addresses) == 0 {
		if h.Livepeer == nil {
			return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.BroadcasterSegment, "", "set WEIR_BROADCASTERS, or WEIR_LIVEPEER_TOKEN", "none is set")}
		}
		asking, cancel := context.WithTimeout(ctx, askMost)
		defer cancel()
		var err error
		if session, err = h.Livepeer(asking, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}); err != nil {
			return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.BroadcasterSegment, hostOf(h.LivepeerAPI),
				"correct WEIR_LIVEPEER_API or WEIR_LIVEPEER_TOKEN, or name Broadcasters in WEIR_BROADCASTERS; then restart weir-daemon",
				"asked for Broadcasters and a session, Livepeer's API did not give them: %s", brief(err))}
		}
		addresses, send = session.Addresses, session.Send
	}
	tried := addresses[:min(len(addresses), triedMost)]
	found := make(chan doctor.Finding)
	for _, address := range tried {
		go func() { found <- tryBroadcaster(ctx, send, address) }()
	}
	var all []doctor.Finding
	for range tried {
		all = append(all, <-found)
	}
	if session.End != nil {
		all = append(all, h.end(ctx, session)...)
	}
	return all
}

// end has the API forget the session, also where the look was given up meanwhile.
func (h *Host) end(ctx context.Context, session Session) []doctor.Finding {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), askMost)
	defer cancel()
	if err := session.End(ctx, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}); err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Warn, doctor.BroadcasterSegment, hostOf(h.LivepeerAPI),
			"remove the streams named weir-doctor from the account of WEIR_LIVEPEER_TOKEN", "its stream of this look stays there: %s", brief(err))}
	}
	return nil
}

func tryBroadcaster(ctx context.Context, send Broadcast, address string) doctor.Finding {
	ctx, cancel := context.WithTimeout(ctx, broadcasterMost)
	defer cancel()
	subject := hostOf(address)
	transport := &http.Transport{DisableKeepAlives: true}
	text, err := send(ctx, &http.Client{Transport: transport}, address)
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
