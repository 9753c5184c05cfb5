package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"weir/secret"
	"weir/storage"
	"weir/storage/dial/dialtest"
	"weir/test/bench/proc"
)

// asMover is this program as one that moves one object: weir|sdk|nothing down|up FILE BUCKET KEY.
const asMover = "mover"

const (
	byWeir, bySDK, byNobody, byS5cmd = "weir", "sdk", "nothing", "s5cmd"
	down, up                         = "down", "up"
)

// The variables of a mover: s5cmd's too, but for the first.
const (
	endpointVariable  = "WEIR_BENCH_S3_ENDPOINT"
	regionVariable    = "AWS_REGION"
	accessKeyVariable = "AWS_ACCESS_KEY_ID"
	secretKeyVariable = "AWS_SECRET_ACCESS_KEY" //nolint:gosec // a name, no secret
)

// A mover moves objects to and from one S3 server.
type mover struct {
	endpoint, region, accessKey string
	secretKey                   secret.Secret
}

func moverOf(getenv func(string) string) *mover {
	return &mover{
		endpoint: getenv(endpointVariable), region: getenv(regionVariable),
		accessKey: getenv(accessKeyVariable), secretKey: secret.Secret(getenv(secretKeyVariable)),
	}
}

func (m *mover) env() []string {
	return []string{
		endpointVariable + "=" + m.endpoint, regionVariable + "=" + m.region,
		accessKeyVariable + "=" + m.accessKey, secretKeyVariable + "=" + string(m.secretKey),
	}
}

// move does what the arguments say, and prints the most memory that this process ever had.
func (m *mover) move(ctx context.Context, args []string) error {
	if len(args) != 5 { //nolint:mnd // as asMover has them
		return errors.New("a mover wants: weir|sdk|nothing down|up FILE BUCKET KEY")
	}
	by, way, file, bucket, key := args[0], args[1], args[2], args[3], args[4]
	var err error
	switch by {
	case byWeir:
		err = m.weir(ctx, way, file, bucket, key)
	case bySDK:
		err = m.sdk(ctx, way, file, bucket, key)
	case byNobody:
		_, err = storage.New(&storage.Config{})
	default:
		err = fmt.Errorf("nobody is called %q", by)
	}
	if err != nil {
		return err
	}
	most, err := ownMemoryMB()
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(most)
}

// weir moves as a daemon does, by a location that has its keys in it.
func (m *mover) weir(ctx context.Context, way, file, bucket, key string) error {
	u, err := url.Parse(m.endpoint)
	if err != nil {
		return fmt.Errorf("the endpoint: %w", err)
	}
	u.Scheme = "s3+" + u.Scheme
	u.User = url.UserPassword(m.accessKey, string(m.secretKey))
	location, err := storage.ParseLocation(u.JoinPath(bucket, key).String())
	if err != nil {
		return err
	}
	client, err := storage.New(&storage.Config{Guard: dialtest.Loopback()})
	if err != nil {
		return err
	}
	defer client.Close()
	if way == down {
		_, err = client.Fetch(ctx, location, file, storage.FetchOptions{})
	} else {
		_, err = client.Upload(ctx, location, file, storage.UploadOptions{})
	}
	return err
}

// sdk moves by the SDK's transfer manager, all of it as it is by default.
func (m *mover) sdk(ctx context.Context, way, path, bucket, key string) error {
	manager := transfermanager.New(s3.New(s3.Options{
		BaseEndpoint: &m.endpoint, Region: m.region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(m.accessKey, string(m.secretKey), ""),
	}))
	if way == up {
		file, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		defer file.Close()
		if _, err = manager.UploadObject(ctx, &transfermanager.UploadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), Body: file}); err != nil {
			return fmt.Errorf("upload: %w", err)
		}
		return nil
	}
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("download: %w", err)
	}
	defer file.Close()
	if _, err = manager.DownloadObject(ctx, &transfermanager.DownloadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key), WriterAt: file}); err != nil {
		return fmt.Errorf("download: %w", err)
	}
	return file.Close()
}

// ownMemoryMB is the most that this process ever had resident. What the kernel tells a
// parent would begin with the parent's own.
func ownMemoryMB() (float64, error) {
	return proc.MemoryMB(os.Getpid(), proc.MostEver)
}
