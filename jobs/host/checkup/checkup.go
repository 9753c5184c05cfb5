// Package checkup looks at what is around a Mist host: its MistServer, its programs, its
// disks, the stores and the Broadcasters. It needs no host that has booted, so that
// `weir-daemon doctor` can look where nothing runs.
package checkup

import (
	"context"
	"net/http"

	"github.com/jackc/pgx/v5/pgxpool"

	"weir/engine"
	"weir/jobs/doctor"
	"weir/media"
	"weir/secret"
	"weir/storage"
)

// Mist is a MistServer as a checkup sees it.
type Mist interface {
	// Info asks who it is.
	Info(ctx context.Context) (engine.Info, error)
	// Lacks are the triggers that it does not post to url.
	Lacks(ctx context.Context, url string) ([]string, error)
}

// Host is what is looked at. What is nil was not to be had; Broken says why.
type Host struct {
	DB      *pgxpool.Pool
	Mist    Mist
	Media   *media.Tools
	Storage *storage.Client
	Sealer  *secret.Sealer
	// TriggerURL is where Mist's triggers go.
	TriggerURL string
	// Program runs MistProcLivepeer so that it says what it is, and returns its path.
	Program func(context.Context) (string, error)
	// Broadcast is for those of Broadcasters.
	Broadcast Broadcast
	// Spool and ShmDir are folders.
	Spool, ShmDir string
	SpoolReserve  int64
	Broadcasters  []string
	// Livepeer asks Livepeer's API for Broadcasters, and for how to send a segment to them as
	// Broadcast does; nil: it is not used. LivepeerAPI is where it is.
	Livepeer    func(ctx context.Context, client *http.Client) (Session, error)
	LivepeerAPI string
}

// Broadcast sends a segment to a Broadcaster and says what came back, for people.
type Broadcast func(ctx context.Context, client *http.Client, address string) (string, error)

// Checks are all of them.
func (h *Host) Checks() []doctor.Check {
	return []doctor.Check{
		{Codes: []doctor.Code{doctor.MistAPI, doctor.MistVersion}, Look: h.lookAtMist},
		{Codes: []doctor.Code{doctor.MistTrigger}, Look: h.lookAtTriggers},
		{Codes: []doctor.Code{doctor.MistProgram}, Look: h.lookAtProgram},
		{Codes: []doctor.Code{doctor.MediaTools}, Look: h.lookAtTools},
		{Codes: []doctor.Code{doctor.MediaCodecs}, Look: h.lookAtCodecs},
		{Codes: []doctor.Code{doctor.ShmRoom}, Look: h.lookAtShm},
		{Codes: []doctor.Code{doctor.SpoolRoom}, Look: h.lookAtSpool},
		{Codes: []doctor.Code{doctor.StoreKeys, doctor.StorePut, doctor.StoreGet, doctor.StoreDelete}, Most: storesMost, Look: h.lookAtStores},
		{Codes: []doctor.Code{doctor.BroadcasterSegment}, Most: broadcastersMost, Look: h.lookAtBroadcasters},
	}
}
