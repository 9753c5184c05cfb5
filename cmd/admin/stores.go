package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"weir/db/dbsqlc"
	"weir/jobs"
	"weir/jobs/tenants"
	"weir/secret"
)

// maxKeyBytes is far above any secret key.
const maxKeyBytes = 4 << 10

// storeList is the JSON of tenants stores list.
type storeList struct {
	Stores []storeShown `json:"stores"`
}

// storeShown is a store without its keys.
type storeShown struct {
	Tenant    string    `json:"tenant"`
	Name      string    `json:"name"`
	Endpoint  string    `json:"endpoint"`
	Region    string    `json:"region"`
	PathStyle bool      `json:"path_style"`
	Anonymous bool      `json:"anonymous"`
	Allowed   []string  `json:"allowed"`
	MayRead   bool      `json:"may_read"`
	MayWrite  bool      `json:"may_write"`
	SetBy     string    `json:"set_by"`
	UpdatedAt time.Time `json:"updated_at"`
}

// storeRemoved is the JSON of tenants stores rm.
type storeRemoved struct {
	Tenant string `json:"tenant"`
	Name   string `json:"name"`
}

func (a *admin) stores() *cobra.Command {
	return group("stores", "Where a tenant's s3://bucket/key leads", a.storesList(), a.storesSet(), a.storesRemove())
}

func showStore(row *dbsqlc.Store) storeShown {
	return storeShown{
		Tenant: row.Tenant, Name: row.Name, Endpoint: row.Endpoint, Region: row.Region, PathStyle: row.PathStyle, Anonymous: row.KeysSealed == nil,
		Allowed: row.Allowed, MayRead: row.MayRead, MayWrite: row.MayWrite, SetBy: row.SetBy, UpdatedAt: row.UpdatedAt,
	}
}

func (a *admin) storesList() *cobra.Command {
	return &cobra.Command{
		Use: "list TENANT", Short: "List a tenant's stores, without their keys", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			if err := a.open(ctx); err != nil {
				return err
			}
			return a.listStores(ctx, args[0])
		}),
	}
}

func (a *admin) listStores(ctx context.Context, tenant string) error {
	rows, err := (&tenants.Stores{DB: a.pool}).List(ctx, tenant)
	if err != nil {
		return err
	}
	return a.printStores(rows)
}

func (a *admin) printStores(rows []dbsqlc.Store) error {
	list := storeList{Stores: []storeShown{}}
	var lines [][]any
	for i := range rows {
		s := showStore(&rows[i])
		list.Stores = append(list.Stores, s)
		lines = append(lines, []any{s.Name, s.Endpoint, s.Region, strings.Join(s.Allowed, ","), s.MayRead, s.MayWrite, s.SetBy, s.UpdatedAt})
	}
	return a.print(list, func() error { return a.table("STORE ENDPOINT REGION ALLOWED READ WRITE SET-BY SET", lines) })
}

func (a *admin) storesSet() *cobra.Command {
	store := &tenants.Store{}
	var keyFile string
	var readOnly, writeOnly, virtualHost bool
	ch := &change{}
	c := &cobra.Command{
		Use: "set TENANT STORE", Short: "Make a store of a tenant, or set it anew, keys and all", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			store.Tenant, store.Name, store.SetBy = args[0], args[1], ch.name(a)
			store.PathStyle, store.MayRead, store.MayWrite = !virtualHost, !writeOnly, !readOnly
			return a.setStore(ctx, ch, store, keyFile)
		}),
	}
	flags := c.Flags()
	flags.StringVar(&store.Endpoint, "endpoint", "", "the S3 server, as https://s3.example.com:9000; without it AWS")
	flags.StringVar(&store.Region, "region", "", "its region, where it can't be found out")
	flags.StringVar(&store.AccessKey, "access-key", "", "the access key; without it the store is read without keys")
	flags.StringVar(&keyFile, "secret-key-file", "", "the file that holds the secret key; - is the standard input. It is no argument: others could see it")
	flags.StringSliceVar(&store.Allowed, "allow", nil, "what the tenant may use there, each as BUCKET or BUCKET/PREFIX, by commas or several times; * is all of the server")
	flags.BoolVar(&readOnly, "read-only", false, "for sources alone")
	flags.BoolVar(&writeOnly, "write-only", false, "for outputs alone")
	flags.BoolVar(&virtualHost, "virtual-host", false, "the bucket is in the host's name and not in the path")
	takesFile(c, "secret-key-file")
	c.MarkFlagsMutuallyExclusive("read-only", "write-only")
	c.PreRunE = func(*cobra.Command, []string) error {
		switch {
		case len(store.Allowed) == 0:
			return errors.New("--allow is missing: name the buckets that the store is for")
		case (store.AccessKey == "") != (keyFile == ""):
			return errors.New("of --access-key and --secret-key-file one is missing: give both, or none for a store without keys")
		}
		return nil
	}
	return a.changing(c, ch)
}

func (a *admin) setStore(ctx context.Context, ch *change, store *tenants.Store, keyFile string) error {
	if keyFile != "" {
		key, err := a.readKey(keyFile)
		if err != nil {
			return err
		}
		store.SecretKey = key
	}
	sealer, err := a.sealer()
	if err != nil {
		return err
	}
	var rows []dbsqlc.Store
	detail := map[string]any{"store": store.Name, "endpoint": store.Endpoint, "allowed": store.Allowed, "may_read": store.MayRead, "may_write": store.MayWrite}
	err = a.do(ctx, ch, "tenants stores set", store.Tenant, detail, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
		stores := &tenants.Stores{DB: on.DB, Sealer: sealer}
		if err := stores.Set(ctx, store); err != nil {
			return err
		}
		rows, err = stores.List(ctx, store.Tenant)
		return err
	})
	if err != nil {
		return err
	}
	return a.printStores(rows)
}

// sealer seals as the daemons do.
func (a *admin) sealer() (*secret.Sealer, error) {
	text, _, err := a.setting(keysEnv)
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, errors.New(keysEnv + " is not set: give it the daemons' own, with which they open what is sealed here")
	}
	keys, err := secret.ParseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", keysEnv, err)
	}
	return secret.NewSealer(keys...)
}

// readKey reads a secret key, without the line's end that editors leave.
func (a *admin) readKey(path string) (secret.Secret, error) {
	from := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return "", fmt.Errorf("read the secret key: %w", err)
		}
		defer file.Close()
		from = file
	}
	text, err := io.ReadAll(io.LimitReader(from, maxKeyBytes+1))
	if err != nil {
		return "", fmt.Errorf("read the secret key: %w", err)
	}
	key := bytes.TrimSpace(text)
	if len(key) == 0 || len(text) > maxKeyBytes {
		return "", fmt.Errorf("read the secret key: --secret-key-file holds %d bytes, which is no key", len(text))
	}
	return secret.Secret(key), nil
}

func (a *admin) storesRemove() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "rm TENANT STORE", Short: "Remove a store; what is open and relies on it waits for another of its name", Args: asUsed,
		RunE: act(func(ctx context.Context, args []string) error {
			err := a.do(ctx, ch, "tenants stores rm", args[0], map[string]string{"store": args[1]}, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
				return (&tenants.Stores{DB: on.DB}).Remove(ctx, args[0], args[1])
			})
			if err != nil {
				return err
			}
			return a.print(storeRemoved{args[0], args[1]}, func() error { return a.saying(ch.dry, "store %s of %s is gone", args[1], args[0]) })
		}),
	}
	return a.changing(c, ch)
}
