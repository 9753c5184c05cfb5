package host

import (
	"testing"

	"github.com/stretchr/testify/require"

	"weir/storage/dial"
)

func TestTrustedLivepeer(t *testing.T) {
	t.Parallel()
	networks, err := dial.ParseNetworks([]string{"10.0.0.0/8", "192.168.0.1:8000"})
	require.NoError(t, err)
	h := &Host{
		LivepeerAPI: "https://livepeer.live/api", LivepeerAPIs: []string{"https://livepeer.studio/api/"},
		Guard: &dial.Guard{Allowed: networks, Own: []uint16{4242}},
	}
	for api, want := range map[string]bool{
		"https://livepeer.live/api": true, "https://livepeer.live/api/": true, "https://LIVEPEER.studio/api": true,
		"http://livepeer.studio/api": false, "https://livepeer.studio": false, "https://livepeer.studio/api?x": false, "https://livepeer.studio/api/../x": false,
		"https://a:b@livepeer.studio/api": false, "https://livepeer.studio:444/api": false, "https://livepeer.studio.example/api": false,
		"https://livepeer.studio/api#x": false, "https://livepeer.studio%2f@evil.example/api": false,
		"http://10.1.2.3/api": true, "https://10.1.2.3:8935/api": true, "http://10.1.2.3:4242/api2": false,
		"http://192.168.0.1:8000": true, "http://192.168.0.1": false, "http://127.0.0.1/api": false, "https://8.8.8.8/api": false,
		"http://10.1.2.3:99999/": false, "": false, "::": false,
	} {
		require.Equal(t, want, h.trusts(api), api)
	}
}
