package jobs

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"weir/secret"
)

// Sealed names a sealed column: a sealed value opens only for the column and the
// transcode that it was sealed for.
type Sealed string

// The sealed columns of a transcode.
const (
	SealedSource   Sealed = "source"
	SealedOutput   Sealed = "output"
	SealedCallback Sealed = "callback"
	SealedLivepeer Sealed = "livepeer"
	// SealedEvents is where events go that it subscribed to, where that is a place of their own.
	SealedEvents Sealed = "events"
	// SealedCallbackSecret signs what is told of it, where the request brings one.
	SealedCallbackSecret Sealed = "callback_secret"
)

func (s Sealed) of(transcode uuid.UUID) string { return s.Context(transcode.String()) }

// Context is what the column's value is sealed for, by the transcode's id.
func (s Sealed) Context(transcode string) string { return "transcode/" + transcode + "/" + string(s) }

// SealedOutputOf is the place of one of its outputs.
func SealedOutputOf(ordinal int32) Sealed {
	return SealedOutput + Sealed("/"+strconv.Itoa(int(ordinal)))
}

// Open opens a column's value. Where it can't, a [Failure] is in the error.
func (s Sealed) Open(sealer *secret.Sealer, transcode uuid.UUID, value []byte) (string, error) {
	text, err := sealer.Open(value, s.of(transcode))
	if err != nil {
		return "", fmt.Errorf("open the %s of %s: %w", s, transcode, Failed(CodeSecretUnreadable, StageFetch, err.Error()))
	}
	return string(text), nil
}

// TenantSecretContext is what a tenant's secret to sign with is sealed for.
func TenantSecretContext(tenant, id string) string {
	return "tenant/" + tenant + "/callback_secret/" + id
}
