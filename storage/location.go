package storage

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/secret"
)

// Limits of a location.
const (
	// maxLocationBytes is above every presigned URL seen (S3's are under 2 KiB).
	maxLocationBytes = 8 << 10
	// maxKeyBytes is S3's limit on an object key.
	maxKeyBytes = 1024
	// S3's bucket names have 3 to 63 letters; old ones, and other servers, up to 255.
	minBucketBytes, maxBucketBytes = 3, 255
	// maxPort is TCP's.
	maxPort = 65535
)

// The schemes of a location.
const (
	schemeS3      = "s3"
	schemeS3HTTP  = "s3+http"
	schemeS3HTTPS = "s3+https"
	schemeHTTP    = "http"
	schemeHTTPS   = "https"
)

// Location is where a source or an output is. It is immutable, safe for
// concurrent use, and prints without userinfo and query in every way that fmt,
// slog and JSON know. The zero Location is no place and prints as "".
//
// The forms are
//
//	s3://bucket/key                              on a server that is told apart from it (On)
//	s3://STORE@bucket/key                        the same, and which of them by its name
//	s3+https://KEY:SECRET@host[:port]/bucket/key  also s3+http; anonymous without KEY:SECRET@
//	...?region=eu-central-1                      after either, where it can't be found out
//	https://host/path                            a source; http:// where the client allows it
//
// Key and path are percent-encoded, as in any URL. KEY and SECRET are too, but
// a "/", "+" or "=" in them may stand as it is.
type Location struct {
	scheme string
	host   string
	bucket string
	path   string // the key of an S3 object, else the escaped path of the URL
	region string // what signs for S3, "" when it is to be found out
	hidden *hidden
	store  string // the name of a server, of s3:// alone
	on     *on    // where s3:// leads; nil: the client's own server
}

// Server is an S3 server that a location of the form s3://bucket/key is told of.
type Server struct {
	// Endpoint is as https://s3.example.com:9000, "" for AWS; Region "" is found out.
	Endpoint, Region string
	// AccessKey and SecretKey; both empty is anonymous.
	AccessKey string
	SecretKey secret.Secret
	// PathStyle puts the bucket into the path, as most servers other than AWS need it.
	PathStyle bool
}

// on is a Server that a Location is on.
type on struct {
	endpoint, region string
	keys             *hidden
	pathStyle        bool
}

// hidden is two pointers deep because fmt, given an unexported field of
// somebody's struct, prints its parts without asking for String: %v stops at
// the first pointer, a wrong verb at the second.
type hidden struct {
	user  *url.Userinfo
	query *string
}

// ParseLocation reads one of the forms that Location lists. An S3 location may
// lack its key, to be used with Join. The error is an *Error with
// CodeLocationInvalid and repeats nothing of raw.
func ParseLocation(raw string) (Location, error) {
	loc, err := parse(raw)
	if err != nil {
		return Location{}, &Error{Op: "parse location", Code: CodeLocationInvalid, Err: err}
	}
	return loc, nil
}

func parse(raw string) (Location, error) {
	if len(raw) > maxLocationBytes {
		return Location{}, fmt.Errorf("it is longer than %d bytes", maxLocationBytes)
	}
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, unprintable) {
		return Location{}, errors.New("it holds a space or a control character; percent-encode it")
	}
	scheme, rest, found := strings.Cut(raw, "://")
	if !found {
		return Location{}, errors.New("it has no scheme; write s3://, s3+https://, s3+http:// or https://")
	}
	switch scheme = strings.ToLower(scheme); scheme {
	case schemeS3:
		return parseStore(rest)
	case schemeS3HTTP, schemeS3HTTPS:
		return parseEndpoint(scheme, rest)
	case schemeHTTP, schemeHTTPS:
		return parseWeb(scheme, rest)
	default:
		return Location{}, errors.New("its scheme is none of s3, s3+https, s3+http, https, http")
	}
}

// unprintable also covers the plain space, which no URL holds.
func unprintable(r rune) bool { return r <= ' ' || r == 0x7f }

// parseEndpoint reads [KEY:SECRET@]host[:port]/bucket[/key]. It is done by
// hand because a "/" in a secret ends the authority for net/url, which then
// repeats the secret in its error.
func parseEndpoint(scheme, rest string) (Location, error) {
	loc := Location{scheme: scheme, hidden: &hidden{}}
	authority, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(authority, '@')
	if at < 0 {
		// Either no credentials and an "@" in the key, or a secret with a "/".
		if at = strings.IndexByte(rest, '@'); at >= 0 {
			_, port, found := strings.Cut(authority, ":")
			if !found || onlyDigits(port) {
				return Location{}, errors.New(`write an "@" in the key as %40, and a "/" in the secret as %2F`)
			}
		}
	}
	if at >= 0 {
		key, secret, found := strings.Cut(rest[:at], ":")
		if !found || key == "" || secret == "" {
			return Location{}, errors.New("the credentials before the @ are not of the form KEY:SECRET")
		}
		key, keyErr := url.PathUnescape(key)
		secret, secretErr := url.PathUnescape(secret)
		if keyErr != nil || secretErr != nil {
			return Location{}, errors.New("the credentials before the @ are not percent-encoded correctly")
		}
		loc.hidden.user = url.UserPassword(key, secret)
		rest = rest[at+1:]
	}
	host, path, _ := strings.Cut(rest, "/")
	if err := checkHost(host); err != nil {
		return Location{}, err
	}
	loc.host = host
	return parseBucketKey(loc, path)
}

// storePattern is what the name of a store looks like: no access key of AWS does.
var storePattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// parseStore reads [STORE@]bucket[/key][?region=R].
func parseStore(rest string) (Location, error) {
	loc := Location{scheme: schemeS3, hidden: &hidden{}}
	before, _, _ := strings.Cut(rest, "/")
	if name, _, found := strings.Cut(before, "@"); found && storePattern.MatchString(name) {
		loc.store, rest = name, rest[len(name)+1:]
	}
	return parseBucketKey(loc, rest)
}

// parseBucketKey reads bucket[/key][?region=R] into loc.
func parseBucketKey(loc Location, rest string) (Location, error) {
	rest, query, asked := strings.Cut(rest, "?")
	region, named := strings.CutPrefix(query, "region=")
	if asked && !named || strings.Contains(rest, "#") {
		return Location{}, errors.New("an S3 location has no query but ?region= and no fragment; write ? as %3F and # as %23")
	}
	if asked && !regionPattern.MatchString(region) {
		return Location{}, errors.New("its region is no name of letters, digits and dashes")
	}
	loc.region = region
	bucket, key, _ := strings.Cut(rest, "/")
	if err := checkBucket(bucket); err != nil {
		return Location{}, err
	}
	key, err := url.PathUnescape(key)
	if err != nil {
		return Location{}, errors.New("the key is not percent-encoded correctly; write % as %25")
	}
	if err := checkKey(key); err != nil {
		return Location{}, err
	}
	loc.bucket, loc.path = bucket, key
	return loc, nil
}

// parseWeb reads an http(s) URL. The errors of net/url hold the URL, so they
// are replaced.
func parseWeb(scheme, rest string) (Location, error) {
	u, err := url.Parse(scheme + "://" + rest)
	if err != nil || u.Opaque != "" {
		return Location{}, errors.New("it is no valid URL; percent-encode what is special in it")
	}
	if err := checkHost(u.Host); err != nil {
		return Location{}, err
	}
	return Location{
		scheme: scheme,
		host:   u.Host,
		path:   u.EscapedPath(),
		hidden: &hidden{user: u.User, query: &u.RawQuery},
	}, nil
}

func checkHost(host string) error {
	u, err := url.Parse("https://" + host)
	if err != nil || u.Hostname() == "" || u.Host != host || u.User != nil {
		return errors.New("it has no valid host")
	}
	if net.ParseIP(u.Hostname()) == nil && strings.ContainsFunc(u.Hostname(), notInHostName) {
		return errors.New("it has no valid host")
	}
	if strings.HasSuffix(host, ":") {
		return errors.New("its port is empty")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > maxPort {
			return fmt.Errorf("its port is not between 1 and %d", maxPort)
		}
	}
	return nil
}

func notInHostName(r rune) bool { return !isLetterOrDigit(r) && !strings.ContainsRune("-._", r) }

func isLetterOrDigit(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

func onlyDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

func checkBucket(bucket string) error {
	switch {
	case bucket == "":
		return errors.New("it names no bucket")
	case strings.Contains(bucket, "@"):
		return errors.New("what stands before the @ is no store's name; credentials go with s3+https://KEY:SECRET@host/bucket/key, s3:// has none")
	case len(bucket) < minBucketBytes || len(bucket) > maxBucketBytes,
		strings.ContainsFunc(bucket, notInHostName),
		!isLetterOrDigit(rune(bucket[0])):
		return fmt.Errorf("its bucket is no valid name: %d to %d letters, digits, '.', '-', '_'", minBucketBytes, maxBucketBytes)
	}
	return nil
}

// errKeyTooLong is about the object, and not about how its location is written.
var errKeyTooLong = fmt.Errorf("its key is longer than %d bytes", maxKeyBytes)

func checkKey(key string) error {
	if len(key) > maxKeyBytes {
		return errKeyTooLong
	}
	if !utf8.ValidString(key) || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return errors.New("its key holds a control character or is no UTF-8")
	}
	for segment := range strings.SplitSeq(key, "/") {
		// Proxies and file-backed S3 servers resolve these, so they name no certain object.
		if segment == "." || segment == ".." {
			return errors.New(`its key has a "." or ".." between slashes`)
		}
	}
	return nil
}

// IsZero reports whether l is the zero Location.
func (l Location) IsZero() bool { return l.scheme == "" }

// IsS3 reports whether l names an S3 bucket.
func (l Location) IsS3() bool {
	return l.scheme == schemeS3 || l.scheme == schemeS3HTTP || l.scheme == schemeS3HTTPS
}

// NeedsServer reports whether l is of the form s3://, which does not say where it leads.
func (l Location) NeedsServer() bool { return l.scheme == schemeS3 }

// Store returns the name that s3://STORE@bucket/key has before its bucket, "" for none.
func (l Location) Store() string { return l.store }

// InStore returns an s3:// location with a store's name before its bucket.
func (l Location) InStore(name string) Location {
	if l.NeedsServer() {
		l.store = name
	}
	return l
}

// On returns an s3:// location on a server, which an operator has set: no guard stands
// before it. Another location is returned unchanged. It is
// where it was for String and Secret: neither tells of the server.
func (l Location) On(s *Server) Location {
	if !l.NeedsServer() {
		return l
	}
	l.on = &on{endpoint: strings.TrimRight(s.Endpoint, "/"), region: s.Region, pathStyle: s.PathStyle, keys: &hidden{}}
	if s.AccessKey != "" {
		l.on.keys.user = url.UserPassword(s.AccessKey, string(s.SecretKey))
	}
	return l
}

// Bucket returns the S3 bucket, "" for a source of http(s).
func (l Location) Bucket() string { return l.bucket }

// Key returns the decoded object key without a leading slash, "" for a source
// of http(s).
func (l Location) Key() string {
	if !l.IsS3() {
		return ""
	}
	return l.path
}

// Destination names the server and the bucket of an S3 location, without its secrets: what
// goes to one is lost, or late, together.
func (l Location) Destination() string {
	if l.on != nil {
		return l.on.endpoint + "/" + l.bucket
	}
	return l.endpoint() + "/" + l.bucket
}

// Join returns the location of elem below l: a "/" between each, none doubled,
// the elements taken as they are (not percent-encoded). Only for S3; another
// location is returned unchanged.
func (l Location) Join(elem ...string) Location {
	if !l.IsS3() {
		return l
	}
	for _, e := range elem {
		if l.path != "" && !strings.HasSuffix(l.path, "/") {
			l.path += "/"
		}
		l.path += strings.Trim(e, "/")
	}
	return l
}

// Folder returns the location above l: its key without what follows the last "/". Only
// for S3; another location is returned unchanged.
func (l Location) Folder() Location {
	if l.IsS3() {
		l.path = l.path[:max(strings.LastIndexByte(l.path, '/'), 0)]
	}
	return l
}

// Secret returns the whole location, credentials and query included, in a form
// that ParseLocation takes. It is for sealing; string(...) reveals it.
func (l Location) Secret() secret.Secret {
	if l.IsZero() {
		return ""
	}
	return secret.Secret(l.url(true))
}

// String returns the location without credentials, query and fragment.
func (l Location) String() string {
	if l.IsZero() {
		return ""
	}
	return l.url(false)
}

func (l Location) url(withSecrets bool) string {
	var b strings.Builder
	b.WriteString(l.scheme + "://")
	if withSecrets && l.hidden.user != nil {
		b.WriteString(l.hidden.user.String() + "@")
	}
	if withSecrets && l.store != "" {
		b.WriteString(l.store + "@")
	}
	b.WriteString(l.host)
	if l.IsS3() {
		if l.host != "" {
			b.WriteByte('/')
		}
		b.WriteString(l.bucket)
		if l.path != "" {
			// net/url leaves an "@", which here ends the credentials.
			escaped := (&url.URL{Path: "/" + l.path}).EscapedPath()
			b.WriteString(strings.ReplaceAll(escaped, "@", "%40"))
		}
		if withSecrets && l.region != "" {
			b.WriteString("?region=" + l.region)
		}
		return b.String()
	}
	b.WriteString(l.path)
	if withSecrets && *l.hidden.query != "" {
		b.WriteString("?" + *l.hidden.query)
	}
	return b.String()
}

// Format implements fmt.Formatter: every verb prints String, %q quoted.
func (l Location) Format(s fmt.State, verb rune) {
	if verb == 'q' {
		_, _ = fmt.Fprintf(s, "%q", l.String())
		return
	}
	_, _ = fmt.Fprint(s, l.String())
}

// GoString returns String.
func (l Location) GoString() string { return l.String() }

// LogValue implements slog.LogValuer with String.
func (l Location) LogValue() slog.Value { return slog.StringValue(l.String()) }

// MarshalText implements encoding.TextMarshaler, and with it JSON, with
// String: what is marshalled can't be used to reach the location again.
func (l Location) MarshalText() ([]byte, error) { return []byte(l.String()), nil }

// credentials returns a key and its secret; ok is false when there are none.
func (h *hidden) credentials() (key, secret string, ok bool) {
	if h == nil || h.user == nil {
		return "", "", false
	}
	secret, _ = h.user.Password()
	return h.user.Username(), secret, true
}

// endpoint returns the base URL of an s3+http(s) location, "" for s3://.
func (l Location) endpoint() string {
	switch l.scheme {
	case schemeS3HTTP:
		return schemeHTTP + "://" + l.host
	case schemeS3HTTPS:
		return schemeHTTPS + "://" + l.host
	default:
		return ""
	}
}

// Gateways are the web's doors to what has a name of its content's: by scheme (ipfs, ar) the
// URL that the name is put behind.
type Gateways map[string]string

// contentName is a CID, or the id of a transaction of Arweave.
var contentName = regexp.MustCompile(`^[A-Za-z0-9_-]{3,128}$`)

// Resolve turns ipfs://CID/path and ar://ID/path into the URL at the gateway; what has no
// gateway, and any other location, comes back as it is. The error repeats nothing of raw.
func (g Gateways) Resolve(raw string) (string, error) {
	scheme, rest, found := strings.Cut(raw, "://")
	gateway := g[strings.ToLower(scheme)]
	if !found || gateway == "" {
		return raw, nil
	}
	name, below, _ := strings.Cut(rest, "/")
	switch {
	case !contentName.MatchString(name):
		return "", &Error{Op: "parse location", Code: CodeLocationInvalid, Err: errors.New("it has no content's id behind the scheme; write it as " + strings.ToLower(scheme) + "://ID or " + strings.ToLower(scheme) + "://ID/path")}
	case strings.ContainsAny(below, "?#"), slices.ContainsFunc(strings.Split(below, "/"), func(part string) bool { return part == "." || part == ".." }):
		return "", &Error{Op: "parse location", Code: CodeLocationInvalid, Err: errors.New("its path holds ?, #, or a step up; name what lies below the id")}
	}
	at := strings.TrimSuffix(gateway, "/") + "/" + name
	if below != "" {
		at += "/" + below
	}
	return at, nil
}
