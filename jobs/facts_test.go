package jobs

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"weir/media"
)

// What hosts write into rows is what is read of it here: no fact comes out as nothing.
func TestFactsAreWhatMediaWrites(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ written, read any }{
		{&media.Source{}, &SourceFacts{}},
		{&media.Prepared{}, &preparedFacts{}},
		{&media.Verdict{}, &judgedFacts{}},
	} {
		fill(reflect.ValueOf(test.written).Elem())
		text, err := json.Marshal(test.written)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(text, test.read))
		requireFilled(t, reflect.ValueOf(test.read).Elem(), reflect.TypeOf(test.read).String())
	}
}

// fill gives every exported field a value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	}
}

func requireFilled(t *testing.T, v reflect.Value, name string) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			requireFilled(t, v.Field(i), name+"."+v.Type().Field(i).Name)
		}
	case reflect.Pointer:
		require.False(t, v.IsNil(), name)
		requireFilled(t, v.Elem(), name)
	default:
		require.False(t, v.IsZero(), name)
	}
}
