package studio

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"weir/secret"
)

// SignatureHeader carries the signature: t=<Unix seconds>,v1=<hex of
// HMAC-SHA256(secret, t + "." + body)>, with one v1 for each secret.
const SignatureHeader = "Weir-Signature"

// DefaultTolerance is how far a signature's time may be from the receiver's
// clock: clocks differ and queues wait, but a stolen delivery must grow stale.
const DefaultTolerance = 5 * time.Minute

// Why a signature is not good; test by errors.Is.
var (
	ErrSignatureMalformed = errors.New("the signature header is not t=<unix seconds>,v1=<64 hex digits>")
	ErrSignatureExpired   = errors.New("the signature's time is too far from now")
	ErrSignatureWrong     = errors.New("the signature does not fit the body with any of the secrets")
)

// Sign returns the header's value for body sent at t, by each of the secrets.
func Sign(t time.Time, body []byte, secrets ...secret.Secret) string {
	stamp := strconv.FormatInt(t.Unix(), 10)
	fields := []string{"t=" + stamp}
	for _, key := range secrets {
		fields = append(fields, "v1="+hex.EncodeToString(mac(key, stamp, body)))
	}
	return strings.Join(fields, ",")
}

// Verify checks the header of a delivery that arrived at now, as a receiver does:
// its time is within tolerance of now (0: DefaultTolerance), and one of its v1
// fits the body with one of the secrets; two are valid while one replaces the
// other. An empty secret fits nothing. Unknown fields are passed over, so that a
// later scheme may stand beside v1.
func Verify(header string, body []byte, now time.Time, tolerance time.Duration, secrets ...secret.Secret) error {
	stamp, sums, err := parseSignature(header)
	if err != nil {
		return err
	}
	if tolerance == 0 {
		tolerance = DefaultTolerance
	}
	if age := now.Sub(time.Unix(stamp, 0)).Abs(); age > tolerance {
		return fmt.Errorf("%w: %s, allowed is %s", ErrSignatureExpired, age.Round(time.Second), tolerance)
	}
	good := false
	for _, key := range secrets {
		if key == "" {
			continue
		}
		want := mac(key, strconv.FormatInt(stamp, 10), body)
		for _, sum := range sums {
			good = hmac.Equal(sum, want) || good
		}
	}
	if !good {
		return ErrSignatureWrong
	}
	return nil
}

func mac(key secret.Secret, stamp string, body []byte) []byte {
	h := hmac.New(sha256.New, []byte(key))
	h.Write([]byte(stamp + "."))
	h.Write(body)
	return h.Sum(nil)
}

func parseSignature(header string) (stamp int64, sums [][]byte, err error) {
	seen := false
	for field := range strings.SplitSeq(header, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch key {
		case "t":
			stamp, err = strconv.ParseInt(value, 10, 64)
			// Digits only: what was signed is the text, and it has one form.
			if seen || err != nil || strconv.FormatInt(stamp, 10) != value || stamp < 0 {
				return 0, nil, ErrSignatureMalformed
			}
			seen = true
		case "v1":
			sum, err := hex.DecodeString(value)
			if err != nil || len(sum) != sha256.Size {
				return 0, nil, ErrSignatureMalformed
			}
			sums = append(sums, sum)
		}
	}
	if !seen || len(sums) == 0 {
		return 0, nil, ErrSignatureMalformed
	}
	return stamp, sums, nil
}
