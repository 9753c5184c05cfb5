package filter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"weir/jobs/filter"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text string
		want filter.Filter
		back string // "": the same
	}{
		{"", filter.Filter{}, ""},
		{" \t\n", filter.Filter{}, ""},
		{"tenant:acme code:push_failed host:mist-1 state:failed external_id:x label:k=v age>2h age<1d", filter.Filter{
			Tenants: []string{"acme"}, Codes: []string{"push_failed"}, Hosts: []string{"mist-1"}, States: []string{"failed"},
			ExternalIDs: []string{"x"}, Labels: []filter.Label{{Key: "k", Value: "v"}}, Older: 2 * time.Hour, Younger: 24 * time.Hour,
		}, "tenant:acme state:failed code:push_failed host:mist-1 external_id:x label:k=v age>2h age<1d"},
		{"state:failed state:cancelled state:failed", filter.Filter{States: []string{"failed", "cancelled"}}, "state:failed state:cancelled"},
		{`external_id:"a b" external_id:"q\"b\\" external_id:back\slash`, filter.Filter{ExternalIDs: []string{"a b", `q"b\`, `back\slash`}}, ""},
		{`"external_id:a b"`, filter.Filter{ExternalIDs: []string{"a b"}}, `external_id:"a b"`},
		{`label:customer="a=b c"`, filter.Filter{Labels: []filter.Label{{Key: "customer", Value: "a=b c"}}}, ""},
		{"broadcaster:http://b:8935 destination:hooks.example.com:8443", filter.Filter{Broadcasters: []string{"http://b:8935"}, Destinations: []string{"hooks.example.com:8443"}}, ""},
		{"callback:refused callback:expired", filter.Filter{Callbacks: []string{"refused", "expired"}}, ""},
		{"ended>90s ended<1w36h", filter.Filter{EndedBefore: 90 * time.Second, EndedWithin: 7*24*time.Hour + 36*time.Hour}, "ended>1m30s ended<8d12h"},
	} {
		t.Run(test.text, func(t *testing.T) {
			t.Parallel()
			got, err := filter.Parse(test.text)
			require.NoError(t, err)
			require.Equal(t, test.want, got)
			require.Equal(t, test.want.String() == "", got.Empty())
			back := test.back
			if back == "" {
				back = strings.TrimSpace(test.text)
			}
			require.Equal(t, back, got.String())
		})
	}
}

// A refusal names the word that is wrong, and says what there is.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for text, says := range map[string][]string{
		"acme":                    {`"acme"`, "tenant:", "label:KEY=", "age>"},
		"sate:failed":             {`"sate:failed"`, "no sate", "state:"},
		"tenant:a state:nope":     {`"state:nope"`, "queued, placed, running"},
		"code:nope":               {`"code:nope"`, "push_failed"},
		"callback:nope":           {`"callback:nope"`, "pending, delivered, refused"},
		"tenant:":                 {`"tenant:"`, "letters"},
		`tenant:"a b"`:            {`"tenant:a b"`, "letters"},
		"external_id:":            {"missing"},
		"external_id:\"a\x00\"":   {"control"},
		"external_id:\xff":        {"UTF-8"},
		"label:a":                 {"label:KEY=VALUE"},
		"label:-a=b":              {"key"},
		"label:a=":                {"missing"},
		`external_id:"a`:          {"not closed"},
		"age>":                    {`"age>"`, "2h"},
		"age>2":                   {"2h"},
		"age>0s":                  {"2h"},
		"age>2h age>3h":           {"age>", "twice"},
		"age>-2h":                 {"2h"},
		"age>4000d":               {"ten years"},
		"age>2000000000w":         {"ten years"},
		"age:2h":                  {"no age", "age>"},
		"tenant>2h":               {"no tenant>", "age>"},
		"age>2h age<1h":           {"older than 2h", "younger than 1h"},
		"ended>1d ended<1d":       {"more than 1d ago", "within 1d"},
		strings.Repeat("a", 5000): {"4000"},
		"external_id:" + strings.Repeat("ä", 201): {"200"},
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			got, err := filter.Parse(text)
			require.Error(t, err)
			require.Zero(t, got)
			for _, word := range says {
				require.ErrorContains(t, err, word)
			}
		})
	}
}

// FuzzParse: whatever is read is written so that it is read as the same.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", `tenant:a state:failed code:internal host:h external_id:"a \"b\\" label:k="v w" age>1d2h3m4s age<1w`, `"`, `a:"`, "\xff", "ended<1s ended>1h", `external_id:\`, `external_id:"\"`, "label:a==", "external_id:\u2003x",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := filter.Parse(text)
		if err != nil {
			require.Zero(t, first)
			return
		}
		second, err := filter.Parse(first.String())
		require.NoError(t, err, "%q", first.String())
		require.Equal(t, first, second)
		require.Equal(t, first.String(), second.String())
	})
}
