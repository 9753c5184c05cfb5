package free

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/google/uuid"

	"weir/engine"
	"weir/mist"
)

// post hands a trigger to its listener as an HTTP server would.
func (e *Engine) post(trigger, body string) {
	req := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", strings.NewReader(body))
	req.RemoteAddr = "127.0.0.1:1"
	req.Header = Header(trigger)
	answer := httptest.NewRecorder()
	began := time.Now()
	e.Triggers.ServeHTTP(answer, req)
	e.Marks.trigger(time.Since(began))
	if answer.Code != http.StatusOK {
		e.Failed(fmt.Errorf("%s: HTTP %d: %s", trigger, answer.Code, answer.Body))
	}
}

// Tracks is what Mist posts of the first of an attempt's tracks.
func Tracks(name engine.Name, tracks int) string {
	return mist.Name(name).Rendition() + "\n" + trackList(tracks)
}

// trackList is of the first of an attempt's renditions, as long as Mist's.
func trackList(tracks int) string {
	var list []string
	for i := range tracks {
		list = append(list, fmt.Sprintf(`"video_H264_640x360_30fps_%d":{"bps":39273,"codec":"H264","codecstring":"avc1.42c00d","firstms":23,"fpks":30000,`+
			`"height":360,"idx":%d,"init":"\u0001B\u00C0\r\u00FF\u00E1\u0000\u001AgB\u00C0\r\u00DA\u0005\u0005\u00EF\u00FC\u0000\u00B0","jitter":200,`+
			`"lastms":3990,"maxbps":39273,"trackid":%d,"type":"video","width":640}`, i, i, i<<16+256))
	}
	return "{" + strings.Join(list, ",") + "}\n"
}

// Header is Mist's.
func Header(trigger string) http.Header {
	return http.Header{"X-Trigger": {trigger}, "X-Trigger-Uuid": {uuid.NewString()}, "X-Uuid": {uuid.NewString()}, "X-Version": {"3.2.2"}, "User-Agent": {"MistServer/3.2.2"}}
}
