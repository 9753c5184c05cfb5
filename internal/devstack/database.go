package devstack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"weir/secret"

	"github.com/jackc/pgx/v5"
)

// databaseTimeout bounds making or dropping a database: 0.1 s on an idle server.
const databaseTimeout = time.Minute

// database is one database that a stack made on a server, for itself.
type database struct {
	url    secret.Secret
	server secret.Secret
	name   string
}

// makeDatabase makes an empty database. The URL is of the server's maintenance
// database.
func makeDatabase(ctx context.Context, server secret.Secret) (*database, error) {
	u, err := url.Parse(string(server))
	if err != nil {
		// url.Parse's error quotes the address, password and all.
		return nil, errors.New("the database address is no URL: want postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	d := &database{server: server, name: "weir_stack_" + strings.ToLower(rand.Text())}
	u.Path = "/" + d.name
	d.url = secret.Secret(u.String())
	return d, d.exec(ctx, "CREATE DATABASE "+d.name)
}

// checkDatabase fails with one line when the database of WEIR_DATABASE_URL can't
// be used.
func checkDatabase(ctx context.Context, address secret.Secret) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, string(address))
	if err != nil {
		// One line for each address that was tried.
		why := strings.Join(strings.Fields(err.Error()), " ")
		return fmt.Errorf("WEIR_DATABASE_URL can't be used, mend it or leave it out for a private Postgres: %s", why)
	}
	if err := conn.Close(ctx); err != nil {
		return fmt.Errorf("WEIR_DATABASE_URL: %w", err)
	}
	return nil
}

// drop removes it, connections and all.
func (d *database) drop(ctx context.Context) error {
	return d.exec(ctx, "DROP DATABASE IF EXISTS "+d.name+" WITH (FORCE)")
}

// exec runs a statement that takes no parameters, on the maintenance database.
func (d *database) exec(ctx context.Context, statement string) error {
	ctx, cancel := context.WithTimeout(ctx, databaseTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, string(d.server))
	if err != nil {
		return fmt.Errorf("connect to postgres: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
