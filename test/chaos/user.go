package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"

	"weir/secret"

	"github.com/jackc/pgx/v5"
)

// daemonUser is an ordinary user of Postgres, as in production: what Postgres keeps for
// superusers is not for daemons.
const daemonUser = "daemon"

// userConnections is how many it may have, as a hosted Postgres limits its users: more
// than the pools of all daemons hold, and few enough to be taken in a second.
const userConnections = 100

// makeUser makes it on the server, and returns the server's address for it.
func makeUser(ctx context.Context, server secret.Secret) (secret.Secret, error) {
	u, err := parseAddress(server)
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, string(server))
	if err != nil {
		return "", fmt.Errorf("make the daemons' user: %w", err)
	}
	defer func() { _ = conn.Close(ctx) }()
	password := rand.Text()
	if _, err := conn.Exec(ctx, fmt.Sprintf("CREATE USER %s CREATEDB CONNECTION LIMIT %d PASSWORD '%s'", daemonUser, userConnections, password)); err != nil {
		return "", fmt.Errorf("make the daemons' user: %w", err)
	}
	u.User = url.UserPassword(daemonUser, password)
	return secret.Secret(u.String()), nil
}

// asSuperuser is the database's address for the server's superuser.
func asSuperuser(server, database secret.Secret) (secret.Secret, error) {
	u, err := parseAddress(server)
	if err != nil {
		return "", err
	}
	named, err := parseAddress(database)
	if err != nil {
		return "", err
	}
	u.Path = named.Path
	return secret.Secret(u.String()), nil
}

func parseAddress(address secret.Secret) (*url.URL, error) {
	u, err := url.Parse(string(address))
	if err != nil {
		return nil, errors.New("the address of Postgres is no URL") // url.Parse's error quotes it, password and all
	}
	return u, nil
}
