// Package audit has what operators change written down, in the transaction that changes it:
// who, what, to which, and why.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"weir/db"
	"weir/db/dbsqlc"
)

// Where a change was asked for.
const (
	CLI = "cli"
	Web = "web"
	API = "api"
)

// Action is a change by an operator. All of it can be read by those who look at rows: no
// secret belongs in it.
type Action struct {
	// Who is a person's name, Via is CLI, Web or API.
	Who, Via string
	// What are a command's words, as "transcodes retry"; Target is what it was done to.
	What, Target string
	Reason       string
	// Detail is what it was set to, where that says more: encoded, an object. May be nil.
	Detail any
}

// errDry has a transaction rolled back in which all went well.
var errDry = errors.New("dry run")

// ErrUnchanged is for f of [Do] to return where it found nothing to change.
var ErrUnchanged = errors.New("nothing is changed")

// Do runs f and writes a, in one transaction: neither is without the other. Operations
// happen in it by being given tx for their DB. dry: all of it is done and then rolled back,
// so that what f found and returned is true. f's error is returned as it is, but for
// ErrUnchanged: then nothing is written, and nil returned. f may run again (db.InTx).
func Do(ctx context.Context, on db.Beginner, a *Action, dry bool, f func(tx pgx.Tx) error) error {
	err := db.InTx(ctx, on, func(tx pgx.Tx) error {
		if err := f(tx); err != nil {
			return err
		}
		if err := write(ctx, tx, a); err != nil {
			return err
		}
		if dry {
			return errDry
		}
		return nil
	})
	if errors.Is(err, errDry) || errors.Is(err, ErrUnchanged) {
		return nil
	}
	return err
}

func write(ctx context.Context, tx pgx.Tx, a *Action) error {
	detail := []byte("{}")
	if a.Detail != nil {
		var err error
		if detail, err = json.Marshal(a.Detail); err != nil {
			return fmt.Errorf("write down %s of %s: %w", a.What, a.Target, err)
		}
	}
	err := dbsqlc.New().AdminActionInsert(ctx, tx, dbsqlc.AdminActionInsertParams{
		Who: a.Who, Via: a.Via, What: a.What, Target: a.Target, Reason: a.Reason, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("write down %s of %s: %w", a.What, a.Target, err)
	}
	return nil
}
