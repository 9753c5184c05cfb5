package storage

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Peek is Fetch for those who want no more than a look: it writes the first and the last
// part bytes of a source to path, each at its place, and leaves a hole between them, which
// takes no room on the disk. It returns the source's size. Containers say at one of their
// ends what is in them. A source whose server tells no size, or serves no ranges, gives
// its beginning alone and the size of that, or -1 where none was told.
//
// It makes two requests at the most, and reads no more than twice part.
func (c *Client) Peek(ctx context.Context, loc Location, path string, part int64) (size int64, err error) {
	if err := c.CheckSource(loc); err != nil {
		return 0, err
	}
	file, err := os.Create(path)
	if err != nil {
		return 0, spoolFailure(path, err)
	}
	defer func() { _ = file.Close() }()
	if loc.IsS3() {
		err = c.serve(loc, func(s *server) error {
			size, err = s.peek(ctx, loc.Key(), file, part)
			return err
		})
	} else {
		size, err = c.peekWeb(ctx, loc, file, part)
	}
	if err != nil {
		return 0, failure(ctx, "look at", loc, err)
	}
	return size, nil
}

// Part is an object, or the part of it that was asked for.
type Part struct {
	Body   io.ReadCloser
	Length int64
	// Range is its Content-Range; "": it is all of the object.
	Range string
}

// Read opens an object in S3, or the part of it that byteRange asks for as the header Range
// does; "": all of it. ctx holds until the part is closed.
func (c *Client) Read(ctx context.Context, loc Location, byteRange string) (*Part, error) {
	if err := checkObject("read", loc); err != nil {
		return nil, err
	}
	var part *Part
	err := c.serve(loc, func(s *server) error {
		input := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(loc.Key())}
		if byteRange != "" {
			input.Range = &byteRange
		}
		object, err := s.GetObject(ctx, input)
		if err != nil {
			return err
		}
		part = &Part{Body: object.Body, Length: aws.ToInt64(object.ContentLength), Range: aws.ToString(object.ContentRange)}
		return nil
	})
	if err != nil {
		return nil, failure(ctx, "read", loc, err)
	}
	return part, nil
}

func (s *server) peek(ctx context.Context, key string, file *os.File, part int64) (int64, error) {
	head, err := s.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return 0, s.ask(ctx, key, err)
	}
	size := aws.ToInt64(head.ContentLength)
	return size, ends(file, size, part, func(from, to int64) (io.ReadCloser, error) {
		object, err := s.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, IfMatch: head.ETag, Range: aws.String(fmt.Sprintf("bytes=%d-%d", from, to))})
		if err != nil {
			return nil, err
		}
		return object.Body, nil
	})
}

func (c *Client) peekWeb(ctx context.Context, loc Location, file *os.File, part int64) (int64, error) {
	w := &web{client: c, loc: loc}
	body, err := w.get(ctx, 0, part-1)
	if err != nil {
		return 0, err
	}
	err = place(file, 0, body, part)
	if err != nil || !w.ranges || w.total <= part {
		return w.total, err
	}
	return w.total, ends(file, w.total, part, func(from, to int64) (io.ReadCloser, error) {
		if from == 0 { // it is there
			return io.NopCloser(io.LimitReader(file, 0)), nil
		}
		return w.get(ctx, from, to)
	})
}

// ends writes the two ends of what has so many bytes.
func ends(file *os.File, size, part int64, get func(from, to int64) (io.ReadCloser, error)) error {
	if size == 0 {
		return nil
	}
	for _, from := range []int64{0, max(size-part, part)} {
		if from >= size {
			continue
		}
		body, err := get(from, min(from+part, size)-1)
		if err != nil {
			return err
		}
		if err := place(file, from, body, part); err != nil {
			return err
		}
	}
	return nil
}

func place(file *os.File, at int64, body io.ReadCloser, most int64) error {
	defer body.Close()
	if _, err := io.Copy(io.NewOffsetWriter(file, at), io.LimitReader(body, most)); err != nil {
		return &lostBody{err}
	}
	return nil
}
