package secret

import (
	"fmt"
	"io"
	"log/slog"
)

// Redacted stands wherever a secret would be shown.
const Redacted = "[redacted]"

// Secret is a text that shows as [Redacted] however it is printed, logged or encoded.
// string(s) is the text itself. Keep it in exported fields: fmt asks the unexported
// fields of a printed struct for no method.
type Secret string

// Format covers every verb of package fmt, %d and %x among them.
func (Secret) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// String implements fmt.Stringer.
func (Secret) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Secret) GoString() string { return Redacted }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON.
func (Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
