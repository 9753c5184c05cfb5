package support

import (
	"encoding/json"
	"regexp"
)

// Gone stands where something was that may be secret.
const Gone = "[left-out]"

// What in a text may be secret. Rows hold no secrets by their making (errors and shown URLs
// are written without); this is for the day on which one does.
var (
	// userPattern is what stands before the host of a URL.
	userPattern = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#@"']*(?:@[^\s/?#@"']*)*@`)
	// queryPattern is a URL's query and fragment: signatures of presigned ones are there.
	queryPattern = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s?#"']*)[?#][^\s"']*`)
	// saidPattern is a header's value, or a setting's.
	saidPattern = regexp.MustCompile(`(?i)\b(authorization|cookie|bearer|basic|password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key(?:[_-]?id)?|secret[_-]?key|private[_-]?key|signature|credential|x-amz-[a-z-]+)\b(["']?\s*[:=]\s*|\s+)(?:(?:bearer|basic)\s+)?["']?[^\s"',;&]+`)
	// keyPattern are secrets that tell themselves: keys of AWS, tokens of three parts,
	// signing secrets.
	keyPattern = regexp.MustCompile(`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*|\bwhsec_[A-Za-z0-9+/=_-]+`)
	// namePattern are names of fields whose value is left out, whatever it is.
	namePattern = regexp.MustCompile(`(?i)(sealed|secret|password|token|authorization|cookie|credential|signature|private_key|access_key|api_key)`)
)

// Scrub leaves out of a text what may be secret.
func Scrub(text string) string {
	text = queryPattern.ReplaceAllString(text, "${1}?"+Gone)
	text = userPattern.ReplaceAllString(text, "${1}"+Gone+"@")
	text = keyPattern.ReplaceAllString(text, Gone)
	return saidPattern.ReplaceAllString(text, "${1}${2}"+Gone)
}

// scrubRow does so with all texts of a row, however deep.
func scrubRow(row []byte) ([]byte, error) {
	var value any
	if err := json.Unmarshal(row, &value); err != nil {
		return nil, err
	}
	return json.Marshal(scrubValue(value))
}

func scrubValue(value any) any {
	switch v := value.(type) {
	case string:
		return Scrub(v)
	case []any:
		for i := range v {
			v[i] = scrubValue(v[i])
		}
	case map[string]any:
		scrubbed := make(map[string]any, len(v))
		for name, field := range v {
			if _, text := field.(string); text && namePattern.MatchString(name) {
				field = Gone
			}
			scrubbed[Scrub(name)] = scrubValue(field)
		}
		return scrubbed
	}
	return value
}
