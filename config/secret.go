package config

import "log/slog"

// redacted is what a secret prints as.
const redacted = "[redacted]"

// Secret is a setting that shows nowhere: every way of printing it gives
// "[redacted]". string(s) is its value.
type Secret string

// String implements fmt.Stringer.
func (s Secret) String() string { return redacted }

// GoString implements fmt.GoStringer.
func (s Secret) GoString() string { return redacted }

// MarshalText keeps it out of JSON and the like.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }
