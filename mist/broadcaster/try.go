// Package broadcaster tries a Livepeer Broadcaster without a MistServer: one segment there,
// and its rendition back.
package broadcaster

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Segment is a second of H264, 30 frames of 320x180, its first a keyframe, in MPEG-TS.
//
//go:embed segment.ts
var segment []byte

const (
	// segmentFrames and segmentMS are what is in it.
	segmentFrames, segmentMS = 30, "1000"
	// answerMost bounds what is read of an answer: a rendition of that size has some 20 kB.
	answerMost = 4 << 20
	// wordsMost of a refusal are shown.
	wordsMost = 200
	// packet and sync are MPEG-TS's.
	packet, sync = 188, 0x47
)

// Answer is what came back.
type Answer struct {
	Frames int
	Bytes  int
	Took   time.Duration
}

// Why an answer is none.
var (
	// ErrRefused: it said no; the text is its own.
	ErrRefused = errors.New("it refused")
	// ErrEmpty: 200, and no rendition in it.
	ErrEmpty = errors.New("it answered 200 with no rendition")
	// ErrBroken: what came back is no rendition.
	ErrBroken = errors.New("what came back is no rendition")
)

// Try posts one second for one small rendition under a manifest of its own, and counts the
// frames that come back. The address is as in WEIR_BROADCASTERS.
func Try(ctx context.Context, client *http.Client, address string) (Answer, error) {
	configuration, err := json.Marshal(map[string]any{"profiles": profiles()})
	if err != nil {
		return Answer{}, fmt.Errorf("encode profiles: %w", err)
	}
	return try(ctx, client, address, "weir-doctor-"+strings.ToLower(rand.Text()), string(configuration))
}

// profiles are the one small rendition.
func profiles() []map[string]any {
	return []map[string]any{{
		"name": "doctor", "width": 160, "height": 90, "bitrate": 100_000, "fps": 0, "fpsDen": 0, "gop": "0.0", "profile": "H264Baseline",
	}}
}

// try posts the segment under a manifest. configuration is what is to be made of it; "": the
// Broadcaster knows by the manifest.
func try(ctx context.Context, client *http.Client, address, manifest, configuration string) (Answer, error) {
	start := time.Now()
	at, err := url.JoinPath(address, "live", manifest, "0.ts")
	if err != nil {
		return Answer{}, errors.New("it is no address")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at, bytes.NewReader(segment))
	if err != nil {
		return Answer{}, errors.New("it is no address")
	}
	req.Header.Set("Accept", "multipart/mixed")
	req.Header.Set("Content-Duration", segmentMS)
	req.Header.Set("Content-Resolution", "320x180")
	if configuration != "" {
		req.Header.Set("Livepeer-Transcode-Configuration", configuration)
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, unanswered(err)
	}
	defer func() { _ = res.Body.Close() }()
	body := io.LimitReader(res.Body, answerMost)
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(body, wordsMost))
		return Answer{}, fmt.Errorf("%w: HTTP %d: %s", ErrRefused, res.StatusCode, words(text))
	}
	rendition, err := partOf(res.Header.Get("Content-Type"), body)
	if err != nil {
		return Answer{}, err
	}
	answer := Answer{Frames: frames(rendition), Bytes: len(rendition), Took: time.Since(start)}
	switch {
	case bytes.Equal(rendition, segment):
		return answer, fmt.Errorf("%w: it is the segment itself", ErrBroken)
	case answer.Frames == 0:
		return answer, fmt.Errorf("%w: no frame in %d bytes", ErrBroken, len(rendition))
	case answer.Frames < segmentFrames:
		return answer, fmt.Errorf("%w: %d of %d frames", ErrBroken, answer.Frames, segmentFrames)
	}
	return answer, nil
}

// partOf is the one rendition of an answer. The closing boundary may be missing.
func partOf(contentType string, body io.Reader) ([]byte, error) {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "multipart/mixed" || parameters["boundary"] == "" {
		return nil, ErrEmpty
	}
	part, err := multipart.NewReader(body, parameters["boundary"]).NextPart()
	if err != nil {
		return nil, ErrEmpty
	}
	rendition, err := io.ReadAll(part)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fmt.Errorf("read the rendition: %w", err)
	}
	if len(rendition) == 0 {
		return nil, ErrEmpty
	}
	return rendition, nil
}

// frames counts the pictures of a transport stream: encoders put each into a PES packet of
// its own. What is no transport stream has none.
func frames(ts []byte) (n int) {
	if len(ts)%packet != 0 {
		return 0
	}
	for ; len(ts) >= packet; ts = ts[packet:] {
		if ts[0] != sync {
			return 0
		}
		if begins(ts[:packet]) {
			n++
		}
	}
	return n
}

// begins says whether a video PES packet begins in a packet.
func begins(p []byte) bool {
	const start, adaptation, header = 0x40, 0x20, 4
	if p[1]&start == 0 {
		return false
	}
	at := header
	if p[3]&adaptation != 0 {
		at += 1 + int(p[header])
	}
	return at+header <= packet && p[at] == 0 && p[at+1] == 0 && p[at+2] == 1 && p[at+3]&0xf0 == 0xe0
}
