package tenants

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"weir/db"
	"weir/db/dbsqlc"
	"weir/secret"
)

// Use is what a store is wanted for.
type Use int

// The uses of a store.
const (
	Read Use = iota
	Write
)

// anyBucket is what a store allows that allows everything on its server.
const anyBucket = "*"

// Why there is no store; test by errors.Is. The errors are for who asked: they tell of the
// tenant's own stores, and of no others.
var (
	ErrNoStore = errors.New("no store of this tenant")
	// ErrKeys: a store's keys were sealed with a key that this daemon has not.
	ErrKeys = errors.New("the keys of the store can't be opened: they were sealed with another WEIR_SECRET_KEY; set the store again")
)

var (
	storePattern  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	regionPattern = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$`)
	bucketPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`)
)

// Store is an S3 server of a tenant, and what of it the tenant may use.
type Store struct {
	Tenant, Name string
	// Endpoint is as https://s3.example.com:9000, "" for AWS; Region "" is found out.
	Endpoint, Region string
	PathStyle        bool
	// AccessKey and SecretKey; both empty is anonymous.
	AccessKey string
	SecretKey secret.Secret
	// Allowed are buckets, each alone or with a prefix behind a slash, or "*" for all.
	Allowed           []string
	MayRead, MayWrite bool
	SetBy             string
}

// Stores are the named stores of tenants.
type Stores struct {
	DB     db.Conn
	Sealer *secret.Sealer
}

// keys is what of a store is sealed.
type keys struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

// SealedFor is what the keys of a store are sealed for.
func SealedFor(tenant, name string) string { return "store/" + tenant + "/" + name }

// Set writes a store, new or in the place of the one of its name: what is open uses it from
// then on. The error names what is wrong, and holds no secret.
func (s *Stores) Set(ctx context.Context, store *Store) error {
	if err := store.check(); err != nil {
		return fmt.Errorf("store %s of %s: %w", store.Name, store.Tenant, err)
	}
	row := dbsqlc.StoreSetParams{
		Tenant: store.Tenant, Name: store.Name, Endpoint: store.Endpoint, Region: store.Region, PathStyle: store.PathStyle,
		Allowed: store.Allowed, MayRead: store.MayRead, MayWrite: store.MayWrite, SetBy: store.SetBy,
	}
	if store.AccessKey != "" {
		text, err := json.Marshal(keys{store.AccessKey, string(store.SecretKey)})
		if err != nil {
			return fmt.Errorf("store %s of %s: seal its keys: %w", store.Name, store.Tenant, err)
		}
		row.KeysSealed = s.Sealer.Seal(text, SealedFor(store.Tenant, store.Name))
	}
	if err := dbsqlc.New().StoreSet(ctx, s.DB, row); err != nil {
		return fmt.Errorf("store %s of %s: %w", store.Name, store.Tenant, err)
	}
	return nil
}

func (s *Store) check() error {
	u, err := url.Parse(s.Endpoint)
	switch {
	case !namePattern.MatchString(s.Tenant):
		return ErrName
	case !storePattern.MatchString(s.Name):
		return errors.New("a store's name has 1 to 40 lower case letters, digits and dashes")
	// The error of url.Parse would repeat what somebody may have put before an "@".
	case s.Endpoint != "" && (err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != ""):
		return errors.New("the endpoint is not of the form https://HOST[:PORT]; keys are set apart from it, and AWS has none")
	case s.Region != "" && !regionPattern.MatchString(s.Region):
		return errors.New("the region is no name of letters, digits and dashes")
	case (s.AccessKey == "") != (s.SecretKey == ""):
		return errors.New("of access key and secret key one is missing: give both, or none for anonymous access")
	case strings.ContainsFunc(s.AccessKey+string(s.SecretKey), func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return errors.New("a key holds a space or a control character")
	case !s.MayRead && !s.MayWrite:
		return errors.New("it may neither be read nor written")
	case len(s.Allowed) == 0:
		return errors.New("it allows no bucket: name those that it is for, each as BUCKET or BUCKET/PREFIX, or * for all of the server")
	}
	for _, place := range s.Allowed {
		bucket, _, _ := strings.Cut(place, "/")
		if place != anyBucket && !bucketPattern.MatchString(bucket) {
			return fmt.Errorf("%q is neither BUCKET nor BUCKET/PREFIX", place)
		}
	}
	return nil
}

// List are a tenant's stores, without their keys.
func (s *Stores) List(ctx context.Context, tenant string) ([]dbsqlc.Store, error) {
	list, err := dbsqlc.New().StoreList(ctx, s.DB, tenant)
	if err != nil {
		return nil, fmt.Errorf("list the stores of %s: %w", tenant, err)
	}
	return list, nil
}

// Remove removes a store: what is open and relies on it fails, or waits for another of its
// name.
func (s *Stores) Remove(ctx context.Context, tenant, name string) error {
	removed, err := dbsqlc.New().StoreRemove(ctx, s.DB, dbsqlc.StoreRemoveParams{Tenant: tenant, Name: name})
	if err == nil && removed == 0 {
		err = ErrNoStore
	}
	if err != nil {
		return fmt.Errorf("store %s of %s: %w", name, tenant, err)
	}
	return nil
}

// Choose finds the store for a bucket and key: the one of that name, or, for name "", of
// those that allow it the one that says so most closely. ErrNoStore tells which there are.
func (s *Stores) Choose(ctx context.Context, tenant, name, bucket, key string, use Use) (string, error) {
	row, err := s.find(ctx, tenant, name, bucket, key, use)
	return row.Name, err
}

// Open is Choose with the keys that the store has at this moment.
func (s *Stores) Open(ctx context.Context, tenant, name, bucket, key string, use Use) (*Store, error) {
	row, err := s.find(ctx, tenant, name, bucket, key, use)
	if err != nil {
		return nil, err
	}
	store := &Store{
		Tenant: row.Tenant, Name: row.Name, Endpoint: row.Endpoint, Region: row.Region, PathStyle: row.PathStyle,
		Allowed: row.Allowed, MayRead: row.MayRead, MayWrite: row.MayWrite, SetBy: row.SetBy,
	}
	if row.KeysSealed != nil {
		text, err := s.Sealer.Open(row.KeysSealed, SealedFor(row.Tenant, row.Name))
		var opened keys
		if err != nil || json.Unmarshal(text, &opened) != nil {
			return nil, fmt.Errorf("store %s of %s: %w", row.Name, row.Tenant, ErrKeys)
		}
		store.AccessKey, store.SecretKey = opened.AccessKey, secret.Secret(opened.SecretKey)
	}
	return store, nil
}

func (s *Stores) find(ctx context.Context, tenant, name, bucket, key string, use Use) (found dbsqlc.Store, err error) {
	list, err := s.List(ctx, tenant)
	if err != nil {
		return found, err
	}
	best := -1
	var names []string
	for i := range list {
		names = append(names, list[i].Name)
		if name != "" && list[i].Name != name || use == Read && !list[i].MayRead || use == Write && !list[i].MayWrite {
			continue
		}
		if fit := allows(list[i].Allowed, bucket, key); fit > best {
			best, found = fit, list[i]
		}
	}
	if best >= 0 {
		return found, nil
	}
	verb := map[Use]string{Read: "be read", Write: "be written"}[use]
	switch {
	case len(names) == 0:
		return found, fmt.Errorf("%w: it has none, so s3:// leads nowhere; use s3+https://KEY:SECRET@host/bucket/key, or ask the operator for a store", ErrNoStore)
	case name != "":
		return found, fmt.Errorf("%w is named so and may %s there; its stores: %s", ErrNoStore, verb, strings.Join(names, ", "))
	default:
		return found, fmt.Errorf("%w may %s there; its stores: %s", ErrNoStore, verb, strings.Join(names, ", "))
	}
}

// allows says how closely one of the places that are allowed names a key; -1: none does.
func allows(allowed []string, bucket, key string) int {
	best := -1
	for _, place := range allowed {
		of, prefix, _ := strings.Cut(strings.TrimRight(place, "/"), "/")
		switch {
		case place == anyBucket:
			best = max(best, 0)
		case of != bucket:
		case prefix == "", key == prefix, strings.HasPrefix(key, prefix+"/"):
			best = max(best, len(place))
		}
	}
	return best
}
