// Package livepeer is the stand-in MistProcLivepeer: it reads a source stream
// of its host, cuts it at keyframes, has a Broadcaster transcode the segments
// two at a time, and gives the answers to the sink stream in order. It loses
// the tail of a source and hangs on bad ones as the real one does.
package livepeer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
)

// options is the JSON on standard input, as far as the real process reads it.
type options struct {
	Source       string    `json:"source"`
	Sink         string    `json:"sink"`
	LeastLive    bool      `json:"leastlive"`
	AudioSelect  string    `json:"audio_select"`
	SourceTrack  string    `json:"source_track"`
	CustomURL    string    `json:"custom_url"`
	AccessToken  string    `json:"access_token"`
	Hardcoded    string    `json:"hardcoded_broadcasters"`
	Profiles     []profile `json:"target_profiles"`
	raw          map[string]any
	broadcasters []string
}

// profile is a target profile; unknown keys go to the Broadcaster as they came.
type profile map[string]any

const (
	// block is the size that width and height are floored to.
	block = 16
	// fpsDen goes with a rate in frames per 1,000 seconds.
	fpsDen = 1000
	// fallbackFPKS is the rate when neither profile nor source has one.
	fallbackFPKS = 25_000
	// defaultAPI is where broadcasters are asked for without a custom_url.
	defaultAPI = "https://livepeer.live/api"
)

var errBroadcasters = errors.New("No Livepeer broadcasters available")

func parseOptions(data []byte) (*options, error) {
	o := &options{}
	if err := json.Unmarshal(data, o); err != nil {
		return nil, fmt.Errorf("parse configuration: %w", err)
	}
	if err := json.Unmarshal(data, &o.raw); err != nil {
		return nil, fmt.Errorf("parse configuration: %w", err)
	}
	if o.Source == "" {
		return nil, errors.New("Missing or blank source in config!")
	}
	if o.Sink == "" {
		o.Sink = o.Source
	}
	if o.CustomURL == "" {
		o.CustomURL = defaultAPI
	}
	return o, nil
}

// addresses reads a broadcaster list: an array of strings or of objects with
// an address, or one URL.
func addresses(text string) ([]string, error) {
	var list []any
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		if text == "" {
			return nil, errBroadcasters
		}
		return []string{text}, nil
	}
	var out []string
	for _, v := range list {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case map[string]any:
			if a, ok := v["address"].(string); ok {
				out = append(out, a)
			}
		}
	}
	if len(out) == 0 {
		return nil, errBroadcasters
	}
	return out, nil
}

// pick chooses a broadcaster at random, another than the previous one if it can.
func (o *options) pick(previous string) string {
	var others []string
	for _, a := range o.broadcasters {
		if a != previous {
			others = append(others, a)
		}
	}
	if len(others) == 0 {
		return previous
	}
	return others[rand.IntN(len(others))]
}

func (p profile) number(key string) float64 {
	v, _ := p[key].(float64)
	return v
}

// complete fills in what a profile leaves open and floors its size.
func (p profile) complete(width, height, fpks int) {
	if _, ok := p["gop"]; !ok {
		p["gop"] = "0.0"
	}
	if p.number("fps") == 0 {
		if fpks == 0 {
			fpks = fallbackFPKS
		}
		p["fps"], p["fpsDen"] = fpks, fpsDen
	}
	if _, ok := p["profile"]; !ok {
		p["profile"] = "H264High"
	}
	w, h := int(p.number("width")), int(p.number("height"))
	switch {
	case w == 0 && h == 0:
		w, h = width, height
	case w == 0 && width < height: // portrait: the height is meant as a width
		w, h = h, height*h/width
	case w == 0:
		w = width * h / height
	case h == 0:
		h = height * w / width
	}
	p["width"], p["height"] = w/block*block, h/block*block
}
