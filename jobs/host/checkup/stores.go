package checkup

import (
	"context"
	"errors"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/db/dbsqlc"
	"weir/jobs/doctor"
	"weir/jobs/tenants"
	"weir/storage"
)

const (
	// storesMost bounds all stores together; one that hangs is among those that don't.
	storesMost = 30 * time.Second
	// storeMost is what one gets: three small requests, each tried again.
	storeMost = 20 * time.Second
	// storesAtOnce leave the network to the transcodes.
	storesAtOnce = 8
)

func storeCodes() []doctor.Code {
	return []doctor.Code{doctor.StorePut, doctor.StoreGet, doctor.StoreDelete}
}

// lookAtStores tries each place of each store: a small object under a key of its own is
// written, read and removed.
func (h *Host) lookAtStores(ctx context.Context) []doctor.Finding {
	rows, err := dbsqlc.New().StoreListAll(ctx, h.DB)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Unknown, doctor.StoreKeys, "", doctor.PostgresReach.Mend(), "the stores could not be read")}
	}
	if len(rows) == 0 {
		return []doctor.Finding{doctor.Well(doctor.StoreKeys, "", "there are none; requests bring their own keys")}
	}
	found := make([][]doctor.Finding, len(rows))
	var group errgroup.Group
	group.SetLimit(storesAtOnce)
	for i := range rows {
		group.Go(func() error {
			limited, cancel := context.WithTimeout(ctx, storeMost)
			defer cancel()
			found[i] = h.lookAtStore(limited, &rows[i])
			return nil
		})
	}
	_ = group.Wait() // none fails
	var all []doctor.Finding
	for _, of := range found {
		all = append(all, of...)
	}
	return all
}

func (h *Host) lookAtStore(ctx context.Context, row *dbsqlc.Store) (found []doctor.Finding) {
	name := row.Tenant + "/" + row.Name
	use := tenants.Write
	if !row.MayWrite {
		use = tenants.Read
	}
	stores := &tenants.Stores{DB: h.DB, Sealer: h.Sealer}
	keysTold := false
	for _, place := range row.Allowed {
		bucket, prefix, _ := strings.Cut(strings.TrimRight(place, "/"), "/")
		if place == anyBucket {
			bucket = noBucket
		}
		store, err := stores.Open(ctx, row.Tenant, row.Name, bucket, prefix, use)
		switch {
		case errors.Is(err, tenants.ErrKeys):
			return append(found, doctor.Wrong(doctor.Fail, doctor.StoreKeys, name, "", "its keys can't be opened with this daemon's WEIR_SECRET_KEY"))
		case err != nil:
			return append(found, doctor.Wrong(doctor.Unknown, doctor.StoreKeys, name, "", "it could not be read: %s", brief(err)))
		}
		if !keysTold {
			keysTold = true
			found = append(found, doctor.Well(doctor.StoreKeys, name, "its keys can be opened"))
		}
		if place == anyBucket {
			found = append(found, h.tryAny(ctx, row, store, name)...)
			continue
		}
		found = append(found, h.tryPlace(ctx, row, store, name+" "+place, bucket, prefix)...)
	}
	return found
}

const (
	// anyBucket is a place of a store that allows all of its server.
	anyBucket = "*"
	// noBucket is a name to ask a server by for those that there are.
	noBucket = "weir-doctor"
)

// tryAny tries a store that allows any bucket by the first one that its key sees.
func (h *Host) tryAny(ctx context.Context, row *dbsqlc.Store, store *tenants.Store, name string) []doctor.Finding {
	unknown := func(format string, args ...any) []doctor.Finding {
		return []doctor.Finding{doctor.Wrong(doctor.Unknown, doctor.StorePut, name,
			"name a bucket beside the others, as `weir-admin tenants stores set TENANT STORE --allow '*,BUCKET'`, and it is tried", "it allows any bucket: "+format, args...)}
	}
	location, err := placeOf(store, noBucket, "")
	if err != nil {
		return unknown("it is no place: %s", brief(err))
	}
	bucket, err := h.Storage.FirstBucket(ctx, location)
	if known, ok := errors.AsType[*storage.Error](err); ok && known.Code == storage.CodeS3Unavailable {
		return []doctor.Finding{told(doctor.StorePut, name, err)}
	}
	switch {
	case err != nil:
		return unknown("which there are could not be found out, which is a right of its own (s3:ListAllMyBuckets): %s", brief(err))
	case bucket == "":
		return unknown("its key sees none")
	}
	return h.tryPlace(ctx, row, store, name+" * "+bucket, bucket, "")
}

func placeOf(store *tenants.Store, bucket, prefix string) (storage.Location, error) {
	location, err := storage.ParseLocation(strings.TrimRight("s3://"+bucket+"/"+prefix, "/") + "/")
	if err != nil {
		return storage.Location{}, err
	}
	return location.On(&storage.Server{
		Endpoint: store.Endpoint, Region: store.Region, PathStyle: store.PathStyle, AccessKey: store.AccessKey, SecretKey: store.SecretKey,
	}), nil
}

func (h *Host) tryPlace(ctx context.Context, row *dbsqlc.Store, store *tenants.Store, subject, bucket, prefix string) []doctor.Finding {
	location, err := placeOf(store, bucket, prefix)
	if err != nil {
		return []doctor.Finding{doctor.Wrong(doctor.Fail, doctor.StorePut, subject, "", "it is no place: %s", brief(err))}
	}
	if !row.MayWrite {
		return []doctor.Finding{told(doctor.StoreGet, subject, h.Storage.TryRead(ctx, location))}
	}
	trial := h.Storage.Try(ctx, location)
	if trial.Put != nil {
		return []doctor.Finding{told(doctor.StorePut, subject, trial.Put)}
	}
	found := make([]doctor.Finding, 0, len(storeCodes()))
	for i, err := range []error{trial.Put, trial.Get, trial.Delete} {
		f := told(storeCodes()[i], subject, err)
		if f.Code == doctor.StoreDelete && f.Verdict == doctor.Fail { // transcodes go on, what they leave stays
			f.Verdict = doctor.Warn
		}
		found = append(found, f)
	}
	return found
}

// told is a finding of an answer of S3. Its errors hold no keys; the advice is for whoever
// mends it.
func told(code doctor.Code, subject string, err error) doctor.Finding {
	if err == nil {
		return doctor.Well(code, subject, "done")
	}
	mend := ""
	if known, ok := errors.AsType[*storage.Error](err); ok {
		mend = known.Code.Advice()
	}
	return doctor.Wrong(doctor.Fail, code, subject, mend, "%s", brief(err))
}
