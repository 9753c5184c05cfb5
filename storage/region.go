package storage

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
)

// regionPattern is what a region may look like: it becomes a part of what is signed and,
// for AWS, of a host's name, and servers as well as requests send it.
var regionPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)

const (
	// awsRegion is AWS's first region, and what most servers that have no regions take.
	awsRegion = "us-east-1"
	// autoRegion is R2's and Google's word for none.
	autoRegion = "auto"
)

// oneRegion are services that sign for one region, whatever their host's name tells.
var oneRegion = map[string]string{
	"r2.cloudflarestorage.com": autoRegion,
	"storage.googleapis.com":   autoRegion,
	"rep.googleapis.com":       autoRegion, // Google's regional endpoints: storage.europe-west3.rep.…
	"s3.amazonaws.com":         awsRegion,
	"s3.wasabisys.com":         awsRegion,
}

// regionInHost are services whose hosts are named REGION.suffix, s3.REGION.suffix or
// s3-REGION.suffix.
var regionInHost = []string{
	"vpce.amazonaws.com", // before the next, of which it is a part
	"amazonaws.com",
	"amazonaws.com.cn",
	"backblazeb2.com",
	"wasabisys.com",
	"digitaloceanspaces.com",
	"linodeobjects.com",
	"vultrobjects.com",
	"your-objectstorage.com", // Hetzner
	"scw.cloud",
	"io.cloud.ovh.net",
}

// regionOf returns the region that a host's name tells, "" when it tells none.
func regionOf(host string) string {
	u, err := url.Parse("//" + host)
	if err != nil {
		return ""
	}
	name := strings.ToLower(u.Hostname())
	for suffix, region := range oneRegion {
		if name == suffix || strings.HasSuffix(name, "."+suffix) {
			return region
		}
	}
	for _, suffix := range regionInHost {
		if before, found := strings.CutSuffix(name, "."+suffix); found {
			label := before[strings.LastIndexByte(before, '.')+1:]
			region := strings.TrimPrefix(strings.TrimPrefix(label, "s3-fips-"), "s3-")
			if region == "s3" || !regionPattern.MatchString(region) {
				return ""
			}
			return region
		}
	}
	return ""
}

// awsFront matches AWS's public endpoints, each of which serves one region's buckets and
// redirects for others.
var awsFront = regexp.MustCompile(`^s3([.-][a-z0-9-]+)?\.amazonaws\.com(\.cn)?$`)

// regionalEndpoint is the endpoint for region: AWS has one for each, others sign for it at
// the same.
func regionalEndpoint(endpoint, region string) string {
	u, err := url.Parse(endpoint)
	if err != nil || !awsFront.MatchString(u.Host) || regionOf(u.Host) == region {
		return endpoint
	}
	_, domain, _ := strings.Cut(u.Host, "amazonaws.com")
	return u.Scheme + "://s3." + region + ".amazonaws.com" + domain
}

// listener is an HTTP client that hears which region a refusal names.
type listener struct {
	*http.Client
	region *atomic.Pointer[string]
}

// Do implements s3.HTTPClient.
func (l *listener) Do(request *http.Request) (*http.Response, error) {
	response, err := l.Client.Do(request)
	if err != nil {
		return response, err
	}
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusBadRequest, http.StatusForbidden:
	default:
		return response, nil
	}
	region := response.Header.Get("X-Amz-Bucket-Region")
	if region == "" {
		// brief bounds it, and the SDK would read the whole as well.
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), broken{err}))
		var answer struct {
			Region string `xml:"Region"`
		}
		if xml.Unmarshal(body, &answer) == nil {
			region = answer.Region
		}
	}
	if regionPattern.MatchString(region) {
		l.region.Store(&region)
	}
	return response, nil
}

// broken ends a body as its connection did.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err == nil {
		return 0, io.EOF
	}
	return 0, b.err
}
