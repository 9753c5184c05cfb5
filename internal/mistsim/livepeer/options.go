// Package livepeer is the stand-in MistProcLivepeer: it reads a source stream
// of its host, cuts it at keyframes, has a Broadcaster transcode the segments
// two at a time, and gives the answers to the sink stream in order. It loses
// the tail of a source and hangs on bad ones as the real one does. What it does
// was read in src/process/process_livepeer.cpp and lib/downloader.cpp, and seen.
package livepeer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
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

var (
	errBroadcasters = errors.New("No Livepeer broadcasters available")
	// errDivision: a list that names no address is divided by its length.
	errDivision = errors.New("Could not select a new random broadcaster!")
)

// decode keeps numbers as they were written: they are passed on so.
func decode(data []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	return d.Decode(out)
}

func parseOptions(data []byte) (*options, error) {
	o := &options{}
	if err := decode(data, o); err != nil {
		return nil, fmt.Errorf("parse configuration: %w", err)
	}
	if err := decode(data, &o.raw); err != nil {
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
	for i, p := range o.Profiles {
		if p == nil {
			o.Profiles[i] = profile{}
		}
	}
	return o, nil
}

// hardcoded reads the option of that name: an array of strings or of objects with
// an address, or one URL. Whatever begins otherwise is no list at all.
func hardcoded(text string) ([]string, error) {
	if strings.HasPrefix(text, "h") {
		return []string{text}, nil
	}
	var list []any
	if !strings.HasPrefix(text, "[") || json.Unmarshal([]byte(text), &list) != nil {
		return nil, errBroadcasters
	}
	for i, v := range list {
		if address, ok := v.(string); ok {
			list[i] = map[string]any{"address": address}
		}
	}
	return addressed(list)
}

// listed reads a gateway's answer: an array of objects, nothing else. An error
// page is such an answer too, for the status is not looked at.
func listed(answer []byte) ([]string, error) {
	var list []any
	if json.Unmarshal(answer, &list) != nil {
		return nil, errBroadcasters
	}
	return addressed(list)
}

func addressed(list []any) ([]string, error) {
	if len(list) == 0 {
		return nil, errBroadcasters
	}
	var out []string
	for _, v := range list {
		o, _ := v.(map[string]any)
		if a, ok := o["address"].(string); ok {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, errDivision
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

// number reads a member as a number; Mist reads those in strings too.
func (p profile) number(key string) float64 {
	const longest = 32 // of what can be a number
	text := fmt.Sprint(p[key])
	text = text[:min(len(text), longest)]
	for n := len(text); n > 0; n-- { // what follows the number is not looked at
		if v, err := strconv.ParseFloat(text[:n], 64); err == nil {
			return v
		}
	}
	return 0
}

// complete fills in what a profile leaves open and floors its size. A rate that is
// given stays as it is, with whatever fpsDen; so do members that Mist does not know.
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
	if w == 0 && h == 0 {
		w, h = width, height
	}
	switch {
	case w == 0 && width < height: // portrait: the height is meant as a width
		w, h = h, height*h/width
	case w == 0:
		w = width * h / height
	case h == 0:
		h = height * w / width
	}
	p["width"], p["height"] = w/block*block, h/block*block
	delete(p, "track_inhibit") // it never matches here: see doc.go
}
