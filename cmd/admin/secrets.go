package main

import (
	"context"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"weir/jobs"
	"weir/jobs/receivers"
	"weir/secret"
	"weir/web/login"
)

// secretKeyEnv is the daemons' setting: what is sealed here they have to open.
const secretKeyEnv = "WEIR_SECRET_KEY"

// tenantName is what WEIR_API_TOKENS takes for one.
var tenantName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$`)

// secretList is the JSON of tenants secret list.
type secretList struct {
	Secrets []secretShown `json:"secrets"`
}

// secretShown is a secret that signs callbacks; never the secret itself.
type secretShown struct {
	ID        uuid.UUID `json:"id"`
	Tenant    string    `json:"tenant"`
	CreatedAt time.Time `json:"created_at"`
}

// secretAdded is the JSON of tenants secret add.
type secretAdded struct {
	secretShown

	// Secret is null when it was read: who gave it has it.
	Secret *string `json:"secret"`
}

// secretRemoved is the JSON of tenants secret rm.
type secretRemoved struct {
	ID uuid.UUID `json:"id"`
}

func (a *admin) tenantSecrets() *cobra.Command {
	return group("secret", "Secrets that sign a tenant's callbacks", a.secretAdd(), a.secretList(), a.secretRemove())
}

func (a *admin) secretAdd() *cobra.Command {
	var stdin bool
	ch := &change{}
	c := &cobra.Command{
		Use: "add TENANT", Short: "Sign a tenant's callbacks with a secret, beside the one that it has", Args: oneTenant,
	}
	c.Flags().BoolVar(&stdin, "stdin", false, "read the secret from standard input; else one is made, and printed this once")
	c.RunE = func(c *cobra.Command, args []string) error {
		return act(func(ctx context.Context, args []string) error {
			text, made := receivers.NewSecret(), true
			if stdin {
				read, err := readSecret(c.InOrStdin())
				if err != nil {
					return err
				}
				text, made = read, false
			}
			return a.addSecret(ctx, ch, args[0], text, made)
		})(c, args)
	}
	return a.changing(c, ch)
}

func readSecret(in io.Reader) (secret.Secret, error) {
	text, err := io.ReadAll(io.LimitReader(in, 2*receivers.MaxSecret))
	if err != nil {
		return "", fmt.Errorf("read the secret from standard input: %w", err)
	}
	read := secret.Secret(strings.TrimRight(string(text), "\r\n"))
	if err := receivers.CheckSecret(read); err != nil {
		return "", fmt.Errorf("standard input: %w", err)
	}
	return read, nil
}

func (a *admin) addSecret(ctx context.Context, ch *change, tenant string, text secret.Secret, made bool) error {
	sealer, err := a.sealer()
	if err != nil {
		return err
	}
	var added receivers.Shown
	detail := map[string]any{}
	err = a.do(ctx, ch, "tenants secret add", tenant, detail, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
		added, err = (&receivers.Secrets{DB: on.DB, Sealer: sealer}).Add(ctx, tenant, text)
		detail["secret"] = added.ID
		return err
	})
	if err != nil {
		return err
	}
	shown := secretAdded{secretShown: secretShown(added)}
	if made = made && !ch.dry; made { // one that nobody keeps is of no use
		shown.Secret = new(string(text))
	}
	return a.print(shown, func() error {
		if made {
			if err := say(a.out, "%s", *shown.Secret); err != nil {
				return err
			}
		}
		return a.saying(ch.dry, "secret %s signs what %s is told, from its next message on", added.ID, tenant)
	})
}

func (a *admin) secretList() *cobra.Command {
	return &cobra.Command{
		Use: "list TENANT", Short: "List the secrets of a tenant, the older first; never the secrets themselves", Args: oneTenant,
		RunE: act(func(ctx context.Context, args []string) error {
			secrets, err := a.openSecrets(ctx)
			if err != nil {
				return err
			}
			all, err := secrets.List(ctx, args[0])
			if err != nil {
				return err
			}
			list := secretList{Secrets: []secretShown{}}
			var lines [][]any
			for _, each := range all {
				list.Secrets = append(list.Secrets, secretShown(each))
				lines = append(lines, []any{each.ID, each.CreatedAt})
			}
			return a.print(list, func() error { return a.table("ID SINCE", lines) })
		}),
	}
}

func (a *admin) secretRemove() *cobra.Command {
	ch := &change{}
	c := &cobra.Command{
		Use: "rm TENANT ID", Short: "Sign a tenant's callbacks with a secret no more",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("%s takes a tenant and the id of a secret", c.CommandPath())
			}
			if _, err := uuid.Parse(args[1]); err != nil {
				return fmt.Errorf("%q is no id, which is a UUID: see `weir-admin tenants secret list`", args[1])
			}
			return oneTenant(c, args[:1])
		},
		RunE: act(func(ctx context.Context, args []string) error {
			id := uuid.MustParse(args[1]) // looked at before
			err := a.do(ctx, ch, "tenants secret rm", args[0], map[string]any{"secret": id}, func(on *jobs.Transcodes, _ *jobs.Callbacks) error {
				return (&receivers.Secrets{DB: on.DB}).Remove(ctx, args[0], id)
			})
			if err != nil {
				return err
			}
			return a.print(secretRemoved{id}, func() error { return a.saying(ch.dry, "secret %s signs no more", id) })
		}),
	}
	return a.changing(c, ch)
}

func (a *admin) openSecrets(ctx context.Context) (*receivers.Secrets, error) {
	if err := a.open(ctx); err != nil {
		return nil, err
	}
	return &receivers.Secrets{DB: a.pool}, nil
}

func oneTenant(c *cobra.Command, args []string) error {
	if len(args) != 1 || !tenantName.MatchString(args[0]) {
		return fmt.Errorf("%s takes one tenant, by its name in WEIR_API_TOKENS", c.CommandPath())
	}
	return nil
}

// webUserMade is the JSON of web-user.
type webUserMade struct {
	Name string `json:"name"`
	Role string `json:"role"`
	// Token is shown this once; Setting is what WEIR_WEB_USERS is to have of it.
	Token   string `json:"token"`
	Setting string `json:"setting"`
}

func (a *admin) webUser() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use: "web-user NAME", Short: "Make a login for the operators' pages, for WEIR_WEB_USERS; asks no database", Args: asUsed,
		RunE: act(func(_ context.Context, args []string) error {
			token, setting, err := login.Make(args[0], login.Role(role))
			if err != nil {
				return err
			}
			made := webUserMade{Name: args[0], Role: role, Token: string(token), Setting: setting}
			return a.print(made, func() error {
				return say(a.out, "token, shown this once: %s\nfor WEIR_WEB_USERS of the daemons that lead: %s", made.Token, made.Setting)
			})
		}),
	}
	c.Flags().StringVar(&role, "role", string(login.Viewer), "viewer, who may change nothing, or operator")
	roles := []string{string(login.Viewer), string(login.Operator)}
	offered(c, "role", roles)
	return checked(c, func() error { return known("role", role, roles) })
}
