package jobs

import (
	"encoding/json"
	"fmt"

	"weir/db/dbsqlc"
)

// Warning is what a transcode does otherwise than its request says, and does not
// fail for. It is stored in the transcode's row, so its JSON is a contract.
type Warning struct {
	// Code is one of docs/api.md's table.
	Code string `json:"code"`
	// Text is for people.
	Text string `json:"text"`
	// Rendition is the one that it is about; empty: all.
	Rendition string `json:"rendition,omitempty"`
}

// WarningsOf reads the warnings in a transcode's row.
func WarningsOf(t *dbsqlc.Transcode) ([]Warning, error) {
	warnings := []Warning{}
	if len(t.Warnings) == 0 {
		return warnings, nil
	}
	if err := json.Unmarshal(t.Warnings, &warnings); err != nil {
		return nil, fmt.Errorf("read the warnings of %s: %w", t.ID, err)
	}
	return warnings, nil
}
