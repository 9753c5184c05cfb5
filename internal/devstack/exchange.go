package devstack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// getOK is nil when a GET of the address answers 200.
func getOK(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("get %s: %w", address, err)
	}
	return exchange(req)
}

// postJSON is nil when a POST of the body answers 2xx.
func postJSON(ctx context.Context, address, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("post %s: %w", address, err)
	}
	req.Header.Set("Content-Type", "application/json")
	return exchange(req)
}

// exchange sends a request for its status alone.
func exchange(req *http.Request) error {
	req.Close = true // no idle connection stays behind
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode < http.StatusOK || resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s: status %s", req.Method, req.URL, resp.Status)
	}
	return nil
}
