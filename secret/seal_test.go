package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func newKey() (key Key) {
	_, _ = rand.Read(key[:])
	return key
}

func newSealer(t *testing.T, keys ...Key) *Sealer {
	t.Helper()
	sealer, err := NewSealer(keys...)
	require.NoError(t, err)
	return sealer
}

func TestSeal(t *testing.T) {
	t.Parallel()
	const where = "transcode/42/source"
	plaintext := []byte("s3+https://KEY:SECRET@host/bucket/key")
	former, present := newKey(), newKey()
	sealer := newSealer(t, present, former)
	sealed := sealer.Seal(plaintext, where)

	require.NotContains(t, string(sealed), "SECRET")
	require.NotEqual(t, sealed, sealer.Seal(plaintext, where), "each nonce is another")
	opened, err := sealer.Open(sealed, where)
	require.NoError(t, err)
	require.Equal(t, plaintext, opened)

	t.Run("empty", func(t *testing.T) {
		t.Parallel()
		opened, err := sealer.Open(sealer.Seal(nil, where), where)
		require.NoError(t, err)
		require.Empty(t, opened)
	})
	t.Run("a former key opens, the first one seals", func(t *testing.T) {
		t.Parallel()
		old := newSealer(t, former)
		opened, err := sealer.Open(old.Seal(plaintext, where), where)
		require.NoError(t, err)
		require.Equal(t, plaintext, opened)
		_, err = old.Open(sealed, where)
		require.ErrorIs(t, err, ErrKeyUnknown)
	})
	t.Run("another context", func(t *testing.T) {
		t.Parallel()
		_, err := sealer.Open(sealed, "transcode/43/source")
		require.ErrorIs(t, err, ErrNotSealed)
	})
	t.Run("every changed or missing byte shows", func(t *testing.T) {
		t.Parallel()
		for i := range sealed {
			changed := append([]byte(nil), sealed...)
			changed[i] ^= 1
			_, err := sealer.Open(changed, where)
			require.Error(t, err)
			_, err = sealer.Open(sealed[:i], where)
			require.Error(t, err)
		}
	})
	t.Run("a sealer shows nothing", func(t *testing.T) {
		t.Parallel()
		for _, key := range []Key{former, present} {
			requireHidden(t, key, string(key[:]))
			requireHidden(t, sealer, string(key[:]))
			requireHidden(t, struct{ v any }{sealer}, string(key[:]))
		}
	})
}

func TestDigest(t *testing.T) {
	t.Parallel()
	body := []byte(`{"url":"x"}`)
	former, present := newSealer(t, newKey()), newKey()
	require.Equal(t, former.Digest(body), former.Digest(body))
	require.NotEqual(t, former.Digest(body), newSealer(t, present).Digest(body))
	require.True(t, former.SameDigest(body, former.Digest(body)))
	require.False(t, former.SameDigest([]byte("other"), former.Digest(body)))

	key := newKey()
	rotated := newSealer(t, present, key)
	require.True(t, rotated.SameDigest(body, newSealer(t, key).Digest(body)))
}

func TestParseKeys(t *testing.T) {
	t.Parallel()
	raw := make([]byte, keyBytes)
	for i := range raw {
		raw[i] = byte(255 - i) // gives both special letters of base64
	}
	for _, text := range []string{
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
		base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
		base64.URLEncoding.EncodeToString(raw), " " + base64.RawURLEncoding.EncodeToString(raw) + "\n",
	} {
		keys, err := ParseKeys(text)
		require.NoError(t, err, text)
		require.Equal(t, []Key{Key(raw)}, keys)
		keys, err = ParseKeys(text + "," + hex.EncodeToString(make([]byte, keyBytes)))
		require.NoError(t, err)
		require.Len(t, keys, 2)
	}
	for text, says := range map[string]string{
		"":                 "key 1: it is empty",
		"hunter2!":         "neither base64 nor hex",
		"aHVudGVyMg==":     "it has 7 bytes and needs 32",
		"6162636461626364": "needs 32",
		base64.StdEncoding.EncodeToString(raw) + ",": "key 2: it is empty",
	} {
		_, err := ParseKeys(text)
		require.ErrorContains(t, err, says)
		require.ErrorContains(t, err, "WEIR_SECRET_KEY")
		require.NotContains(t, err.Error(), "hunter2")
	}
	_, err := NewSealer()
	require.ErrorContains(t, err, "WEIR_SECRET_KEY")
}

func FuzzOpen(f *testing.F) {
	sealer, err := NewSealer(Key{1})
	require.NoError(f, err)
	f.Add(sealer.Seal([]byte("x"), "c"), "c")
	f.Add([]byte{sealVersion}, "")
	f.Fuzz(func(t *testing.T, sealed []byte, context string) {
		if _, err := sealer.Open(sealed, context); err == nil {
			require.Equal(t, "c", context)
		}
	})
}
