package storage

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signer signs as S3 has it, except that Accept-Encoding is sent unsigned: Google's front
// end, and other proxies, rewrite it before the signature is looked at (aws-sdk-go-v2
// issue 1816). RFC 9110 lets them.
type signer struct{ *v4.Signer }

func newSigner() signer {
	return signer{v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })}
}

// SignHTTP implements s3.HTTPSignerV4.
func (s signer) SignHTTP(
	ctx context.Context, keys aws.Credentials, r *http.Request, payloadHash, service, region string,
	at time.Time, options ...func(*v4.SignerOptions),
) error {
	const name = "Accept-Encoding"
	values, sent := r.Header[name]
	delete(r.Header, name)
	err := s.Signer.SignHTTP(ctx, keys, r, payloadHash, service, region, at, options...)
	if sent {
		r.Header[name] = values
	}
	return err
}
