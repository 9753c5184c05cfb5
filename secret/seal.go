package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
)

// keyBytes is the length of a key: AES-256 and HMAC-SHA256 both take 32 bytes.
const keyBytes = 32

// A sealed value is: version, id of the key, nonce, ciphertext, tag.
const (
	sealVersion = 1
	// keyIDBytes tell a handful of keys apart.
	keyIDBytes = 4
)

// Why Open failed.
var (
	// ErrKeyUnknown: the value was sealed with a key that this Sealer lacks.
	ErrKeyUnknown = errors.New("sealed with a key that is not configured; add the former key to WEIR_SECRET_KEY, after the present one")
	// ErrNotSealed: the value was changed, belongs to another context, or was never sealed.
	ErrNotSealed = errors.New("not a value sealed for this use; it was changed or moved")
)

// Key is a master key of a Sealer. It prints as "[redacted]".
type Key [keyBytes]byte

// Format implements fmt.Formatter, so that no verb shows the key.
func (Key) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, Redacted) }

// MarshalText implements encoding.TextMarshaler, and with it JSON and slog.
func (Key) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// ParseKeys reads the value of WEIR_SECRET_KEY: 32 bytes in base64 (any of its
// alphabets, padded or not) or hex, or several of these with commas between.
// The first key seals, all of them open. The error repeats nothing of text.
func ParseKeys(text string) ([]Key, error) {
	var keys []Key
	for part := range strings.SplitSeq(text, ",") {
		key, err := parseKey(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("WEIR_SECRET_KEY, key %d: %w", len(keys)+1, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func parseKey(text string) (Key, error) {
	if text == "" {
		return Key{}, errors.New("it is empty; make one with: openssl rand -base64 32")
	}
	raw, err := hex.DecodeString(text)
	if err != nil || len(raw) != keyBytes {
		text = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "="))
		raw, err = base64.RawStdEncoding.DecodeString(text)
	}
	if err != nil {
		return Key{}, errors.New("it is neither base64 nor hex; make one with: openssl rand -base64 32")
	}
	if len(raw) != keyBytes {
		return Key{}, fmt.Errorf("it has %d bytes and needs %d; make one with: openssl rand -base64 32", len(raw), keyBytes)
	}
	return Key(raw), nil
}

// Sealer encrypts what must not be read from a table, with AES-256-GCM. It is
// immutable and safe for concurrent use.
type Sealer struct {
	keys []*sealKey // the first one seals
}

// sealKey holds what is derived from one master key: a key for each use, so
// that neither use tells anything about the other.
type sealKey struct {
	id     [keyIDBytes]byte
	aead   cipher.AEAD
	digest []byte
}

// NewSealer returns a Sealer that seals with the first key and opens with any.
// It fails without a key.
func NewSealer(keys ...Key) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("sealer: no key; set WEIR_SECRET_KEY")
	}
	s := &Sealer{}
	for _, key := range keys {
		derived, err := derive(key)
		if err != nil {
			return nil, fmt.Errorf("sealer: %w", err)
		}
		s.keys = append(s.keys, derived)
	}
	return s, nil
}

func derive(key Key) (*sealKey, error) {
	subkey := func(use string, length int) ([]byte, error) {
		return hkdf.Key(sha256.New, key[:], nil, "weir "+use, length)
	}
	id, err := subkey("key id", keyIDBytes)
	if err != nil {
		return nil, err
	}
	seal, err := subkey("seal", keyBytes)
	if err != nil {
		return nil, err
	}
	digest, err := subkey("digest", keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(seal)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealKey{id: [keyIDBytes]byte(id), aead: aead, digest: digest}, nil
}

// Seal encrypts plaintext. Only Open with the same context, for example
// "transcode/42/source", returns it, so that a value copied to another row is
// of no use. Two calls give two different values.
func (s *Sealer) Seal(plaintext []byte, context string) []byte {
	return s.keys[0].aead.Seal(s.Newest(), nil, plaintext, []byte(context))
}

// Newest is how every value begins that Seal makes, and none that another key has made.
func (s *Sealer) Newest() []byte { return append([]byte{sealVersion}, s.keys[0].id[:]...) }

// Open returns what Seal was given with the same context. Its errors are
// ErrKeyUnknown and ErrNotSealed (errors.Is).
func (s *Sealer) Open(sealed []byte, context string) ([]byte, error) {
	const header = 1 + keyIDBytes
	if len(sealed) < header || sealed[0] != sealVersion {
		return nil, fmt.Errorf("open %s: %w", context, ErrNotSealed)
	}
	id := [keyIDBytes]byte(sealed[1:header])
	err := ErrKeyUnknown
	for _, key := range s.keys {
		if key.id != id {
			continue
		}
		if plaintext, openErr := key.aead.Open(nil, nil, sealed[header:], []byte(context)); openErr == nil {
			return plaintext, nil
		}
		err = ErrNotSealed
	}
	return nil, fmt.Errorf("open %s: %w", context, err)
}

// Digest returns the HMAC-SHA256 of b: a fingerprint by which rows can be
// compared and from which, without the key, b can't be guessed. Compare with
// SameDigest, which knows former keys too.
func (s *Sealer) Digest(b []byte) []byte { return s.keys[0].fingerprint(b) }

// SameDigest reports whether digest is the Digest of b under any of the keys.
func (s *Sealer) SameDigest(b, digest []byte) bool {
	for _, key := range s.keys {
		if hmac.Equal(key.fingerprint(b), digest) {
			return true
		}
	}
	return false
}

func (k *sealKey) fingerprint(b []byte) []byte {
	mac := hmac.New(sha256.New, k.digest)
	mac.Write(b)
	return mac.Sum(nil)
}
