package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// closePatience is how long an answer that is under way may take to end.
const closePatience = time.Second

// Player shows a bucket to browsers and players, for reading alone: by HTTP, without
// keys, from any page. It stands for what serves an output's bucket to the public.
type Player struct {
	// URL is its address without a path; an object's key is the path.
	URL    string
	server *http.Server
	ended  chan error
}

// StartPlayer serves a bucket on this machine alone.
func (s *S3) StartPlayer(ctx context.Context, bucket string) (*Player, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("show bucket %s to players: %w", bucket, err)
	}
	client := s.Client()
	p := &Player{URL: "http://" + listener.Addr().String(), ended: make(chan error, 1)}
	p.server = &http.Server{
		ReadHeaderTimeout: answerTimeout,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Access-Control-Allow-Origin", "*")
			if r.Method != http.MethodGet && r.Method != http.MethodHead {
				http.Error(w, "read only", http.StatusMethodNotAllowed)
				return
			}
			show(w, r, client, bucket)
		}),
	}
	go func() { p.ended <- p.server.Serve(listener) }()
	return p, nil
}

func show(w http.ResponseWriter, r *http.Request, client *s3.Client, bucket string) {
	key := strings.TrimPrefix(r.URL.Path, "/")
	input := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if part := r.Header.Get("Range"); part != "" {
		input.Range = &part
	}
	object, err := client.GetObject(r.Context(), input)
	if err != nil {
		http.Error(w, "no such object", http.StatusNotFound)
		return
	}
	defer object.Body.Close()
	header := w.Header()
	header.Set("Content-Type", aws.ToString(object.ContentType))
	header.Set("Content-Length", strconv.FormatInt(aws.ToInt64(object.ContentLength), 10))
	header.Set("Accept-Ranges", "bytes")
	status := http.StatusOK
	if object.ContentRange != nil {
		header.Set("Content-Range", *object.ContentRange)
		status = http.StatusPartialContent
	}
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = io.Copy(w, object.Body) // a player that has seen enough goes
	}
}

// Of is the address at which players find an object by its location.
func (p *Player) Of(bucket, location string) (string, error) {
	_, key, found := strings.Cut(location, "/"+bucket+"/")
	if !found {
		return "", fmt.Errorf("%s is not in bucket %s", location, bucket)
	}
	return p.URL + "/" + key, nil
}

// Close ends it.
func (p *Player) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	err := p.server.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		err = p.server.Close() // somebody still looks
	}
	if ended := <-p.ended; !errors.Is(ended, http.ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}
