package devstack

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"weir/internal/devstack/child"
	"weir/secret"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// s3Region is the region of the private server; any will do.
	s3Region = "us-east-1"
	// s3Health is the path that the private server answers without a signature.
	s3Health = "/health"
	// s3Start bounds the server's start: 0.3 s on an idle machine.
	s3Start = time.Minute
)

// S3 is an S3 server that a stack uses: a private one of [StartS3], or any other
// when Endpoint and the keys are filled in by hand.
type S3 struct {
	// Endpoint is the server's address, "http://127.0.0.1:7070". Addresses are
	// path style.
	Endpoint string
	// Region is what requests are signed for.
	Region string
	// AccessKey and SecretKey may do everything on the server.
	AccessKey string
	SecretKey secret.Secret
	proc      *child.Child
}

// S3Config says where a private S3 server lives.
type S3Config struct {
	// Dir is an existing folder for its buckets and log.
	Dir string
	// BinDir holds the versitygw program (`make build`).
	BinDir string
}

// StartS3 starts versitygw over a folder, with random keys and no bucket. It
// returns when the server answers.
func StartS3(ctx context.Context, cfg *S3Config) (*S3, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s3Start, fmt.Errorf("versitygw did not start within %s", s3Start))
	defer cancel()
	program, err := findProgram(cfg.BinDir, "versitygw")
	if err != nil {
		return nil, err
	}
	buckets := filepath.Join(cfg.Dir, "buckets")
	if err := os.MkdirAll(buckets, 0o700); err != nil {
		return nil, fmt.Errorf("s3: make its folder: %w", err)
	}
	accessKey, secretKey := rand.Text(), secret.Secret(rand.Text())
	return child.OnFreePort(ctx, func(port int) (*S3, error) {
		cmd := exec.Command(program, //nolint:noctx // lives until Close, not until a context ends
			"--port", child.HostPort(port), "--region", s3Region, "--health", s3Health, "--keep-alive", "--quiet",
			"posix", buckets)
		cmd.Dir = cfg.Dir
		cmd.Env = append(withoutPG(os.Environ()), "ROOT_ACCESS_KEY="+accessKey, "ROOT_SECRET_KEY="+string(secretKey))
		proc, err := child.Start("s3", filepath.Join(cfg.Dir, "s3.log"), cmd, syscall.SIGKILL)
		if err != nil {
			return nil, err
		}
		server := &S3{Endpoint: "http://" + child.HostPort(port), Region: s3Region, AccessKey: accessKey, SecretKey: secretKey, proc: proc}
		if err := proc.Ready(ctx, func(ctx context.Context) error { return getOK(ctx, server.Endpoint+s3Health) }); err != nil {
			return nil, errors.Join(err, server.Close())
		}
		return server, nil
	})
}

// S3FromEnvironment returns the server and the bucket of WEIR_DEMO_S3_ENDPOINT,
// _REGION, _ACCESS_KEY, _SECRET_KEY and _BUCKET; no server where none is named.
func S3FromEnvironment(getenv func(string) string) (server *S3, bucket string, err error) {
	const prefix = "WEIR_DEMO_S3_"
	server = &S3{
		Endpoint: getenv(prefix + "ENDPOINT"), Region: cmp.Or(getenv(prefix+"REGION"), s3Region),
		AccessKey: getenv(prefix + "ACCESS_KEY"), SecretKey: secret.Secret(getenv(prefix + "SECRET_KEY")),
	}
	bucket = getenv(prefix + "BUCKET")
	if server.Endpoint == "" {
		return nil, "", nil
	}
	if server.AccessKey == "" || server.SecretKey == "" || bucket == "" {
		return nil, "", errors.New(prefix + "ENDPOINT needs " + prefix + "ACCESS_KEY, " + prefix + "SECRET_KEY and " + prefix + "BUCKET beside it")
	}
	return server, bucket, nil
}

// Close ends a private server; another is left as it is. Idempotent.
func (s *S3) Close() error {
	if s.proc == nil {
		return nil
	}
	return s.proc.Stop(syscall.SIGTERM)
}

// Client returns a client that signs with the server's keys.
func (s *S3) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(s.Endpoint),
		Region:       s.Region,
		UsePathStyle: true,
		// No idle connection stays behind.
		HTTPClient:  awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true }),
		Credentials: credentials.NewStaticCredentialsProvider(s.AccessKey, string(s.SecretKey), ""),
	})
}

// URL names an object the way Studio does, with the keys in it:
// s3+http://KEY:SECRET@host:port/bucket/key.
func (s *S3) URL(bucket, key string) (secret.Secret, error) {
	u, err := url.Parse(s.Endpoint)
	if err != nil {
		return "", fmt.Errorf("s3 endpoint: %w", err)
	}
	u.Scheme = "s3+" + u.Scheme
	u.User = url.UserPassword(s.AccessKey, string(s.SecretKey))
	return secret.Secret(u.JoinPath(bucket, key).String()), nil
}
