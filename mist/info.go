package mist

import (
	"context"
	"errors"
	"time"
)

// Info identifies a running MistController.
type Info struct {
	Version string
	// IID is drawn at random when the controller starts: another one means that
	// it restarted, and may have lost streams and triggers of its last minute.
	IID string
	// Time is Mist's own clock, in whole seconds.
	Time time.Time
}

// Info asks Mist who it is; it serves as the health check too. An answer
// without an IID is ErrUnexpected.
func (c *Client) Info(ctx context.Context) (Info, error) {
	const op = "info"
	r, err := c.call(ctx, op, command{"config": struct{}{}})
	if err != nil {
		return Info{}, err
	}
	var config struct {
		Version string `json:"version"`
		IID     string `json:"iid"`
		Time    number `json:"time"`
	}
	if err := c.decode(op, r, "config", &config); err != nil {
		return Info{}, err
	}
	if config.IID == "" {
		return Info{}, c.fail(op, ErrUnexpected, errors.New("no config.iid in it"))
	}
	return Info{Version: config.Version, IID: config.IID, Time: time.Unix(int64(config.Time), 0)}, nil
}
