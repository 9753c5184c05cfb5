package studio

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"

	"weir/secret"
)

// The headers of Standard Webhooks (standardwebhooks.com), for receivers that have one of
// its libraries. They say the same as ours: the event's id, the time of [SignatureHeader],
// and the same secrets' signatures, in that specification's form.
const (
	StandardIDHeader        = "Webhook-Id"
	StandardTimeHeader      = "Webhook-Timestamp"
	StandardSignatureHeader = "Webhook-Signature"
)

// SecretPrefix begins a secret whose rest is a key in base64, as Standard Webhooks writes
// them. Our own signature takes the whole text for its key.
const SecretPrefix = "whsec_"

// SignStandard returns the value of [StandardSignatureHeader]: for each secret
// "v1,<base64 of HMAC-SHA256(key, id + "." + t + "." + body)>", separated by spaces.
func SignStandard(id string, t time.Time, body []byte, secrets ...secret.Secret) string {
	signed := make([]string, len(secrets))
	for i, each := range secrets {
		h := hmac.New(sha256.New, standardKey(each))
		h.Write([]byte(id + "." + strconv.FormatInt(t.Unix(), 10) + "."))
		h.Write(body)
		signed[i] = "v1," + base64.StdEncoding.EncodeToString(h.Sum(nil))
	}
	return strings.Join(signed, " ")
}

// standardKey is the key that a secret stands for: what is no base64 is a key as it is,
// which the libraries call raw.
func standardKey(text secret.Secret) []byte {
	coded, found := strings.CutPrefix(string(text), SecretPrefix)
	if key, err := base64.StdEncoding.DecodeString(coded); found && err == nil && len(key) > 0 {
		return key
	}
	return []byte(text)
}

// sign sets the headers of both schemes. A message without an id of its own, a status,
// gets one that is never seen again.
func sign(header http.Header, id string, t time.Time, body []byte, secrets []secret.Secret) {
	header.Set(StandardIDHeader, id)
	header.Set(StandardTimeHeader, strconv.FormatInt(t.Unix(), 10))
	if len(secrets) > 0 {
		header.Set(StandardSignatureHeader, SignStandard(id, t, body, secrets...))
		header.Set(SignatureHeader, Sign(t, body, secrets...))
	}
}
