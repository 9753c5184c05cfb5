package storage

import (
	"io"
	"net/http"
)

// mostAnswer is how much is read of an answer that is no object's bytes: the SDK
// keeps an error whole, and whoever sends a request names the server. A page of
// 1,000 half uploads, with keys of 1 KiB, takes half of it.
const mostAnswer = 4 << 20

// brief is a transport to S3 whose answers end after mostAnswer, unless they are
// what a GetObject asked for.
type brief struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b brief) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := b.Transport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	// The SDK names its operation in the query.
	object := request.URL.Query().Get("x-id") == "GetObject"
	if !object || response.StatusCode >= http.StatusMultipleChoices {
		body := response.Body
		response.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(body, mostAnswer), body}
	}
	return response, nil
}
