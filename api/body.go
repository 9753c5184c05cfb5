package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// maxBody is many times the largest sensible request: 10 profiles and three
// presigned URLs are under 40 KiB.
const maxBody = 1 << 20

const jsonType = "application/json"

// jsonBody reads bodies that are a T and describes them. Huma's own reader is left
// aside: it repeats the body in its refusals, takes fields in any case, and tells
// a missing field by its parent.
type jsonBody[T any] struct {
	registry huma.Registry
	schema   *huma.Schema
}

func bodyOf[T any](api huma.API) jsonBody[T] {
	registry := api.OpenAPI().Components.Schemas
	return jsonBody[T]{registry: registry, schema: registry.Schema(reflect.TypeFor[T](), true, "")}
}

// document describes the body of the post to path, which is registered: a body that
// Huma knows of before, it reads.
func (b jsonBody[T]) document(api huma.API, path string) {
	api.OpenAPI().Paths[path].Post.RequestBody = &huma.RequestBody{
		Required: true, Content: map[string]*huma.MediaType{jsonType: {Schema: b.schema}},
	}
}

// read returns the body, and the same as JSON in one canonical order. The error is
// the whole answer, with all that is wrong.
func (b jsonBody[T]) read(ctx huma.Context) (value T, canonical []byte, err error) {
	text, err := readBody(ctx)
	if err != nil {
		return value, nil, err
	}
	tree, err := parseBody(text)
	if err != nil {
		return value, nil, err
	}
	if errs := check(b.registry, b.schema, tree, "body"); len(errs) > 0 {
		return value, nil, refuse(errs)
	}
	return b.decode(tree)
}

// decode makes a T of a checked body.
func (b jsonBody[T]) decode(tree any) (value T, canonical []byte, err error) {
	// From the tree that was checked and not from the text, so that a field that is
	// there twice can't be one thing for the check and another one here.
	if canonical, err = json.Marshal(tree); err == nil {
		err = json.Unmarshal(canonical, &value)
	}
	if err != nil {
		return value, nil, fmt.Errorf("decode a checked %T: %w", value, err)
	}
	return value, canonical, nil
}

func readBody(ctx huma.Context) ([]byte, error) {
	// No content type is taken for JSON, as the old API did.
	if header := ctx.Header("Content-Type"); header != "" {
		if kind, _, err := mime.ParseMediaType(header); err != nil || kind != jsonType {
			return nil, huma.Error415UnsupportedMediaType("send the body as application/json", refusal("header.Content-Type", "is not "+jsonType))
		}
	}
	tooLarge := func() error {
		return huma.Error413RequestEntityTooLarge("the body is too large", refusal("body", fmt.Sprintf("is longer than %d bytes", maxBody)))
	}
	// What says that it is too large need not come first.
	if r, _ := humago.Unwrap(ctx); r.ContentLength > maxBody {
		return nil, tooLarge()
	}
	text, err := io.ReadAll(io.LimitReader(ctx.BodyReader(), maxBody+1))
	var network net.Error
	switch {
	case errors.As(err, &network) && network.Timeout():
		return nil, huma.NewError(http.StatusRequestTimeout, "the body did not arrive in time")
	case err != nil:
		return nil, huma.Error400BadRequest("the body did not arrive whole", refusal("body", "ends early or is no valid HTTP"))
	case len(text) > maxBody:
		return nil, tooLarge()
	}
	return text, nil
}

// parseBody keeps numbers as they were written. The errors of encoding/json hold
// parts of the text, so only their place is told, the first byte being byte 1.
func parseBody(text []byte) (any, error) {
	invalid := func(message string) error {
		return huma.Error400BadRequest("the body is no JSON", refusal("body", message))
	}
	// encoding/json makes one character of all that is none, and with it one external_id
	// of two.
	if at, is := foreignByte(text); is {
		return nil, invalid(fmt.Sprintf("is no UTF-8 at byte %d", at))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var tree any
	err := decoder.Decode(&tree)
	var syntax *json.SyntaxError
	switch {
	case errors.Is(err, io.EOF):
		return nil, invalid("is empty")
	case errors.As(err, &syntax):
		return nil, invalid(fmt.Sprintf("is no JSON from byte %d on", syntax.Offset))
	case err != nil:
		return nil, invalid(fmt.Sprintf("ends in the middle of its JSON, behind byte %d", len(text)))
	}
	end := decoder.InputOffset()
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, invalid(fmt.Sprintf("has something behind its JSON value, which ends with byte %d", end))
	}
	if at, is := halfCharacter(text); is {
		return nil, invalid(fmt.Sprintf(`has half a character (a \u of D800 to DFFF without its other) at byte %d`, at))
	}
	return tree, nil
}

// request is embedded in an operation's input to reach what Huma does not parse.
type request struct{ http huma.Context }

// Resolve implements huma.Resolver.
func (r *request) Resolve(ctx huma.Context) []error {
	r.http = ctx
	return nil
}
