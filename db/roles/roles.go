// Package roles makes the database's roles: who may what in schema weir, and for how long
// a statement of theirs, or an idle transaction, may be in the way of others. It never
// touches a password.
package roles

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"weir/db"
)

// The roles. Studio has no login of its own: those of its tenants are members of it.
const (
	Studio   = "weir_studio"
	Readonly = "weir_readonly"
	Admin    = "weir_admin"
	Daemon   = "weir_daemon"
)

// What ends by itself of those who query. A report takes seconds, a lock is waited for as
// long as nobody notices, and a transaction that is forgotten holds up migrations and the
// removal of old rows, and with the first of these everybody.
const (
	statementTimeout = "30s"
	lockTimeout      = "5s"
	idleTimeout      = "60s"
)

//go:embed rights.sql
var rights string

//go:embed held.sql
var held string

// rolesLock serializes this work in a database.
const rolesLock = 8447110004

// ErrNoTenant: this is no tenant's name.
var ErrNoTenant = errors.New("a tenant's name is up to 64 letters, digits, '.', '-', '_'")

// Done is what was done, a line each, and whether that has changed anything.
type Done struct {
	Did     []string
	Changed bool
}

// maker does it in one transaction, and keeps what it did.
type maker struct {
	tx   pgx.Tx
	done Done
}

func (m *maker) note(format string, args ...any) {
	m.done.Did = append(m.done.Did, fmt.Sprintf(format, args...))
}

// changed notes what was not so before.
func (m *maker) changed(format string, args ...any) {
	m.done.Changed = true
	m.note(format, args...)
}

func (m *maker) exec(ctx context.Context, text string, args ...any) error {
	_, err := m.tx.Exec(ctx, text, args...)
	return err
}

// Make makes the roles that are not there, and tells anew what each may and how long it
// may take. It takes a superuser, or the schema's owner with CREATEROLE.
func Make(ctx context.Context, on db.Beginner) (Done, error) {
	return in(ctx, on, func(m *maker) error {
		for _, role := range []struct{ name, login string }{
			{Studio, "NOLOGIN"}, {Readonly, "LOGIN"}, {Admin, "LOGIN"}, {Daemon, "LOGIN"},
		} {
			if _, err := m.role(ctx, role.name, role.login); err != nil {
				return err
			}
		}
		if err := m.grant(ctx); err != nil {
			return err
		}
		members, err := m.members(ctx, Readonly, Admin)
		if err != nil {
			return err
		}
		for _, role := range []string{Readonly, Admin} {
			if err := m.limit(ctx, role); err != nil {
				return err
			}
		}
		for _, member := range members {
			if err := m.limitMember(ctx, member); err != nil {
				return err
			}
		}
		return nil
	})
}

// Renew tells anew what each role may, where Make was run in this database before: a
// migration has made tables since.
func Renew(ctx context.Context, on db.Beginner) (Done, error) {
	return in(ctx, on, func(m *maker) error {
		var there bool
		// Of those that have rights here, whatever other databases of the server have.
		if err := m.tx.QueryRow(ctx, `SELECT count(*) = 4 FROM pg_roles r, pg_namespace n, aclexplode(n.nspacl) a
			WHERE n.nspname = 'weir' AND a.grantee = r.oid AND a.privilege_type = 'USAGE' AND r.rolname = ANY ($1)`,
			[]string{Studio, Readonly, Admin, Daemon}).Scan(&there); err != nil || !there {
			return err
		}
		return m.grant(ctx)
	})
}

// grant tells each role's rights anew.
func (m *maker) grant(ctx context.Context) error {
	before, err := m.rights(ctx)
	if err != nil {
		return err
	}
	if err := m.exec(ctx, rights); err != nil {
		return fmt.Errorf("grant rights: %w", err)
	}
	after, err := m.rights(ctx)
	if err != nil {
		return err
	}
	m.done.Changed = m.done.Changed || after != before
	m.note("rights granted to %s, %s, %s, %s", Studio, Readonly, Admin, Daemon)
	return m.sight(ctx)
}

// sight lets the owner of weir.open_transactions see what that is to tell. Up to PostgreSQL
// 15 who may make roles may do so, later a superuser alone: then it is said.
func (m *maker) sight(ctx context.Context) error {
	var owner string
	var sees bool
	if err := m.tx.QueryRow(ctx, `SELECT r.rolname::text, pg_has_role(r.oid, 'pg_read_all_stats', 'USAGE')
		FROM pg_proc p JOIN pg_roles r ON r.oid = p.proowner WHERE p.oid = 'weir.open_transactions()'::regprocedure`).Scan(&owner, &sees); err != nil {
		return fmt.Errorf("look what the schema's owner sees: %w", err)
	}
	if sees {
		return nil
	}
	grant := "GRANT pg_read_all_stats TO " + quoted(owner)
	err := pgx.BeginFunc(ctx, m.tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, grant)
		return err
	})
	var refused *pgconn.PgError
	switch {
	case err == nil:
		m.changed("role %s, which owns the schema, sees the transactions of all roles", owner)
	case errors.As(err, &refused) && refused.Code == insufficientPrivilege:
		m.note("role %s, which owns the schema, sees no transactions of other roles: as a superuser, %s", owner, grant)
	default:
		return fmt.Errorf("let %s see all transactions: %w", owner, err)
	}
	return nil
}

// rights are what the roles may now, in a form that can be compared.
func (m *maker) rights(ctx context.Context) (sum string, err error) {
	err = m.tx.QueryRow(ctx, held, []string{Studio, Readonly, Admin, Daemon}).Scan(&sum)
	if err != nil {
		return "", fmt.Errorf("read rights: %w", err)
	}
	return sum, nil
}

// Speak lets a role speak for a tenant, and makes it where it is not there. "" for a tenant:
// for none any more.
func Speak(ctx context.Context, on db.Beginner, role, tenant string) (Done, error) {
	return in(ctx, on, func(m *maker) error {
		if tenant == "" {
			tag, err := m.tx.Exec(ctx, "DELETE FROM weir.speakers WHERE role = $1", role)
			if err != nil {
				return err
			}
			if tag.RowsAffected() == 0 {
				return fmt.Errorf("role %s speaks for no tenant", role)
			}
			if err := m.exec(ctx, "REVOKE "+Studio+" FROM "+quoted(role)); err != nil {
				return err
			}
			m.changed("role %s speaks for no tenant any more", role)
			return nil
		}
		made, err := m.role(ctx, role, "LOGIN")
		if err != nil {
			return err
		}
		var member bool
		if err := m.tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.member JOIN pg_roles g ON g.oid = a.roleid
			WHERE g.rolname = $1 AND r.rolname = $2)`, Studio, role).Scan(&member); err != nil {
			return fmt.Errorf("look whether %s is a member of %s: %w", role, Studio, err)
		}
		if err := m.exec(ctx, "GRANT "+Studio+" TO "+quoted(role)); err != nil {
			return fmt.Errorf("make %s a member of %s: %w: run `weir-admin db roles` first", role, Studio, err)
		}
		tag, err := m.tx.Exec(ctx, `INSERT INTO weir.speakers AS s (role, tenant) VALUES ($1, $2) ON CONFLICT (role) DO UPDATE SET tenant = EXCLUDED.tenant
			WHERE s.tenant <> EXCLUDED.tenant`, role, tenant)
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == checkViolation {
			return ErrNoTenant
		}
		if err != nil {
			return err
		}
		m.done.Changed = m.done.Changed || !member || tag.RowsAffected() > 0
		m.note("role %s speaks for tenant %s", role, tenant)
		if !made { // it may be one that does other things here
			m.note("role %s: time-outs are left as they are", role)
			return nil
		}
		return m.limit(ctx, role)
	})
}

// Postgres' codes.
const (
	duplicateObject       = "42710"
	undefinedObject       = "42704"
	uniqueViolation       = "23505"
	checkViolation        = "23514"
	insufficientPrivilege = "42501"
)

func in(ctx context.Context, on db.Beginner, do func(*maker) error) (Done, error) {
	var m *maker
	err := db.InTx(ctx, on, func(tx pgx.Tx) error {
		m = &maker{tx: tx}
		if err := m.exec(ctx, "SELECT pg_advisory_xact_lock($1)", rolesLock); err != nil {
			return err
		}
		return do(m)
	})
	if err != nil {
		return Done{}, fmt.Errorf("make roles: %w", err)
	}
	return m.done, nil
}

func quoted(role string) string { return pgx.Identifier{role}.Sanitize() }

// role makes one unless it is there.
func (m *maker) role(ctx context.Context, name, login string) (made bool, err error) {
	err = m.tx.QueryRow(ctx, "SELECT NOT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", name).Scan(&made)
	if err != nil {
		return false, err
	}
	if made {
		// Another database's migrator may make it at the same moment.
		err = pgx.BeginFunc(ctx, m.tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "CREATE ROLE "+quoted(name)+" "+login)
			return err
		})
		var refused *pgconn.PgError
		if errors.As(err, &refused) && slices.Contains([]string{duplicateObject, uniqueViolation}, refused.Code) {
			made, err = false, nil
		}
		if err != nil {
			return false, fmt.Errorf("make role %s: %w", name, err)
		}
	}
	if made {
		m.changed("role %s made", name)
	} else {
		m.note("role %s was there", name)
	}
	return made, nil
}

// members are the roles that may log in and are members of these.
func (m *maker) members(ctx context.Context, of ...string) ([]string, error) {
	rows, err := m.tx.Query(ctx, `SELECT DISTINCT r.rolname::text FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.member
		JOIN pg_roles g ON g.oid = a.roleid WHERE g.rolname = ANY ($1) AND r.rolcanlogin AND NOT r.rolsuper ORDER BY 1`, of)
	if err != nil {
		return nil, fmt.Errorf("list members: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// limitMember is limit of a role that is somebody else's, who may drop it meanwhile.
func (m *maker) limitMember(ctx context.Context, role string) error {
	err := pgx.BeginFunc(ctx, m.tx, func(pgx.Tx) error { return m.limit(ctx, role) })
	var refused *pgconn.PgError
	if errors.As(err, &refused) && refused.Code == undefinedObject {
		return nil
	}
	return err
}

// limit sets the time-outs that a role has not: for this database alone, as the server may
// have others. They are no group's to give: only those of the role that logs in count.
func (m *maker) limit(ctx context.Context, role string) error {
	var has []string
	var database string
	if err := m.tx.QueryRow(ctx, `SELECT current_database(), COALESCE(array_agg(split_part(c, '=', 1)) FILTER (WHERE c IS NOT NULL), '{}')
		FROM pg_roles r LEFT JOIN pg_db_role_setting s ON s.setrole = r.oid
		     AND s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
		     LEFT JOIN unnest(s.setconfig) c ON true
		WHERE r.rolname = $1`, role).Scan(&database, &has); err != nil {
		return fmt.Errorf("read settings of %s: %w", role, err)
	}
	var set []string
	for _, setting := range []struct{ name, value string }{
		{"statement_timeout", statementTimeout}, {"lock_timeout", lockTimeout}, {"idle_in_transaction_session_timeout", idleTimeout},
	} {
		if slices.Contains(has, setting.name) {
			continue
		}
		if err := m.exec(ctx, fmt.Sprintf("ALTER ROLE %s IN DATABASE %s SET %s = '%s'", quoted(role), quoted(database), setting.name, setting.value)); err != nil {
			return fmt.Errorf("set %s of %s: %w", setting.name, role, err)
		}
		set = append(set, setting.name+" "+setting.value)
	}
	if len(set) > 0 {
		m.changed("role %s: %s", role, strings.Join(set, ", "))
	}
	return nil
}
