package mist

import (
	"errors"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestName(t *testing.T) {
	t.Parallel()
	n := Name{Transcode: uuid.MustParse("0f8fad5b-d9cb-469f-a165-70867728950e"), Attempt: 3}
	require.Equal(t, "0f8fad5bd9cb469fa16570867728950e_3", n.String())
	require.Equal(t, "tr_src_0f8fad5bd9cb469fa16570867728950e_3", n.Source())
	require.Equal(t, "tr_rend_+0f8fad5bd9cb469fa16570867728950e_3", n.Rendition())
	for _, s := range []string{n.String(), n.Source(), n.Rendition()} {
		got, err := ParseName(s)
		require.NoError(t, err)
		require.Equal(t, n, got)
	}
	for _, s := range []string{
		"", "tr_src_", RenditionBase, "tr_rend_+", "camera", "tr_src_rechappy", "tr_rend_0f8fad5bd9cb469fa16570867728950e_3",
		"0f8fad5bd9cb469fa16570867728950e", "0f8fad5bd9cb469fa16570867728950e_", "0f8fad5bd9cb469fa16570867728950e_03",
		"0f8fad5bd9cb469fa16570867728950e_+3", "0f8fad5bd9cb469fa16570867728950e_-3", "0f8fad5bd9cb469fa16570867728950e_3_1",
		"0F8FAD5BD9CB469FA16570867728950E_3", "0f8fad5bd9cb469fa16570867728950e_99999999999", "tr_src_tr_rend_+" + n.String(), n.Source() + "\n",
	} {
		_, err := ParseName(s)
		require.ErrorIs(t, err, ErrName, s)
	}
}

func FuzzParseName(f *testing.F) {
	n := Name{Transcode: uuid.MustParse("0f8fad5b-d9cb-469f-a165-70867728950e"), Attempt: 3}
	f.Add(n.String())
	f.Add(n.Source())
	f.Add(n.Rendition())
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseName(s)
		if err != nil {
			if !errors.Is(err, ErrName) {
				t.Fatal(err)
			}
			return
		}
		if s != got.String() && s != got.Source() && s != got.Rendition() {
			t.Fatalf("%q became %v", s, got)
		}
	})
}
