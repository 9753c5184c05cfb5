package outputs

import (
	"bytes"
	"regexp"
	"strings"
)

// movedPrefix begins the name of a manifest that was written for another folder.
const movedPrefix = "moved-"

// uriPattern is how a tag of HLS names another file.
var uriPattern = regexp.MustCompile(`URI="([^"]*)"`)

// movedMaster is a master that lies elsewhere: what it names is found at prefix.
func movedMaster(master []byte, prefix string) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(string(master)) {
		switch {
		case strings.HasPrefix(line, "#"):
			line = uriPattern.ReplaceAllString(line, `URI="`+prefix+`$1"`)
		case strings.TrimSpace(line) != "":
			line = prefix + line
		}
		b.WriteString(line)
	}
	return b.Bytes()
}

// rootPattern is the start of a DASH manifest's root.
var rootPattern = regexp.MustCompile(`<MPD\b[^>]*>`)

// movedMPD is a DASH manifest that lies elsewhere.
func movedMPD(mpd []byte, prefix string) []byte {
	at := rootPattern.FindIndex(mpd)
	if at == nil {
		return mpd
	}
	return bytes.Join([][]byte{mpd[:at[1]], mpd[at[1]:]}, []byte("<BaseURL>"+prefix+"</BaseURL>"))
}
