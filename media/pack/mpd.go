package pack

import (
	"encoding/xml"
	"fmt"
	"math"
	"time"
)

// The elements of a DASH manifest (ISO 23009-1) that are needed for files with a list of times.
type (
	mpdRoot struct {
		XMLName  xml.Name  `xml:"urn:mpeg:dash:schema:mpd:2011 MPD"`
		Profiles string    `xml:"profiles,attr"`
		Type     string    `xml:"type,attr"`
		Duration string    `xml:"mediaPresentationDuration,attr"`
		Longest  string    `xml:"maxSegmentDuration,attr"`
		Buffer   string    `xml:"minBufferTime,attr"`
		Period   mpdPeriod `xml:"Period"`
	}
	mpdPeriod struct {
		ID    string   `xml:"id,attr"`
		Start string   `xml:"start,attr"`
		Sets  []mpdSet `xml:"AdaptationSet"`
	}
	mpdSet struct {
		ID      int       `xml:"id,attr"`
		Kind    string    `xml:"contentType,attr"`
		Mime    string    `xml:"mimeType,attr"`
		Aligned bool      `xml:"segmentAlignment,attr"`
		SAP     int       `xml:"startWithSAP,attr"`
		Tracks  []mpdRung `xml:"Representation"`
	}
	mpdRung struct {
		ID        string       `xml:"id,attr"`
		Codecs    string       `xml:"codecs,attr"`
		Bandwidth int64        `xml:"bandwidth,attr"`
		Width     int          `xml:"width,attr,omitempty"`
		Height    int          `xml:"height,attr,omitempty"`
		Rate      string       `xml:"frameRate,attr,omitempty"`
		Hertz     int64        `xml:"audioSamplingRate,attr,omitempty"`
		Channels  *mpdChannels `xml:"AudioChannelConfiguration"`
		Template  mpdTemplate  `xml:"SegmentTemplate"`
	}
	mpdChannels struct {
		Scheme string `xml:"schemeIdUri,attr"`
		Value  int    `xml:"value,attr"`
	}
	mpdTemplate struct {
		Scale    int64     `xml:"timescale,attr"`
		Zero     int64     `xml:"presentationTimeOffset,attr"`
		Init     string    `xml:"initialization,attr"`
		Media    string    `xml:"media,attr"`
		First    int       `xml:"startNumber,attr"`
		Segments []mpdTime `xml:"SegmentTimeline>S"`
	}
	mpdTime struct {
		At    int64 `xml:"t,attr"`
		Lasts int64 `xml:"d,attr"`
	}
)

// mpd is the DASH manifest.
func mpd(pictures []*fragmentTrack, sound *fragmentTrack) ([]byte, error) {
	set := mpdSet{ID: 0, Kind: "video", Mime: "video/mp4", Aligned: aligned(pictures), SAP: 1}
	var end, longest float64
	take := func(f *fragmentTrack) mpdRung {
		r := mpdRung{ID: f.id, Codecs: f.codec, Template: mpdTemplate{
			Scale: f.scale, Zero: zeroAt / clock * f.scale, Init: "init-$RepresentationID$.m4s", Media: "chunk-$RepresentationID$-$Number$.m4s", First: 1,
		}}
		r.Bandwidth, _ = f.rates()
		for _, s := range f.spans {
			r.Template.Segments = append(r.Template.Segments, mpdTime{At: s.from, Lasts: s.to - s.from})
			longest = max(longest, float64(s.to-s.from)/float64(f.scale))
			end = max(end, float64(s.to)/float64(f.scale)-zeroAt/clock)
		}
		return r
	}
	for _, f := range pictures {
		r := take(f)
		r.Width, r.Height, r.Rate = f.rung.Width, f.rung.Height, fraction(f.fps)
		set.Tracks = append(set.Tracks, r)
	}
	sets := []mpdSet{set}
	if sound != nil {
		r := take(sound)
		r.Hertz = sound.scale
		r.Channels = &mpdChannels{Scheme: "urn:mpeg:dash:23003:3:audio_channel_configuration:2011", Value: sound.channels()}
		sets = append(sets, mpdSet{ID: 1, Kind: "audio", Mime: "audio/mp4", Aligned: true, SAP: 1, Tracks: []mpdRung{r}})
	}
	data, err := xml.MarshalIndent(mpdRoot{
		Profiles: "urn:mpeg:dash:profile:isoff-live:2011", Type: "static",
		Duration: iso8601(end), Longest: iso8601(longest), Buffer: iso8601(min(longest, segmentDefault.Seconds())),
		Period: mpdPeriod{ID: "0", Start: iso8601(0), Sets: sets},
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("write the manifest: %w", err)
	}
	return append(append([]byte(xml.Header), data...), '\n'), nil
}

// aligned says whether all rungs are cut at the same times.
func aligned(pictures []*fragmentTrack) bool {
	for _, f := range pictures[1:] {
		if len(f.spans) != len(pictures[0].spans) {
			return false
		}
		for i, s := range f.spans {
			if s.from != pictures[0].spans[i].from {
				return false
			}
		}
	}
	return true
}

// iso8601 is how XML writes a duration, to the millisecond, rounded up.
func iso8601(seconds float64) string {
	return fmt.Sprintf("PT%.3fS", math.Ceil(seconds*float64(time.Second/time.Millisecond))/1e3)
}

// fraction is a frame rate as DASH has it: whole, or over 1001 or 1000.
func fraction(fps float64) string {
	const near = 0.0005
	for _, den := range []float64{1, 1001} {
		num := math.Round(fps*den/1000) * 1000
		if den == 1 {
			num = math.Round(fps)
		}
		if math.Abs(num/den-fps) < near {
			if den == 1 {
				return fmt.Sprintf("%.0f", num)
			}
			return fmt.Sprintf("%.0f/%.0f", num, den)
		}
	}
	return fmt.Sprintf("%.0f/1000", fps*1000)
}
