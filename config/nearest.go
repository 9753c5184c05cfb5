package config

import "slices"

// farMost is how many letters may differ where a name is still taken for a misspelt one.
const farMost = 4

// nearest is the setting that a name was most likely meant for; "" where none is near.
func nearest(name string) string {
	best, far := "", farMost+1
	for _, setting := range Settings() {
		if d := distance(name, setting.Name); d < far {
			best, far = setting.Name, d
		}
	}
	return best
}

// distance is how many letters have to be put in, left out or changed.
func distance(a, b string) int {
	before := make([]int, len(b)+1)
	for j := range before {
		before[j] = j
	}
	for i := range len(a) {
		now := make([]int, len(b)+1)
		now[0] = i + 1
		for j := range len(b) {
			change := before[j]
			if a[i] != b[j] {
				change++
			}
			now[j+1] = min(change, before[j+1]+1, now[j]+1)
		}
		before = slices.Clone(now)
	}
	return before[len(b)]
}
