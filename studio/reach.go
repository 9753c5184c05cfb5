package studio

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
)

// Reach connects to a receiver as a delivery would, and with TLS greets it; it posts
// nothing, and sends no word of HTTP. It takes connectTimeout at the most.
func (c *Client) Reach(ctx context.Context, receiver string) error {
	u, err := url.Parse(receiver)
	if err != nil || u.Hostname() == "" {
		return errors.New("it is no address")
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := c.cfg.Guard.Dialer(connectTimeout, keepAlive).DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { _ = conn.Close() }()
	if u.Scheme != "https" {
		return nil
	}
	if err := tls.Client(conn, &tls.Config{ServerName: u.Hostname(), MinVersion: tls.VersionTLS12}).HandshakeContext(ctx); err != nil {
		return fmt.Errorf("greet by TLS: %w", err)
	}
	return nil
}
