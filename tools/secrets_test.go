package tools

import (
	"math"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// shapes are secrets that show by their form.
var shapes = map[string]*regexp.Regexp{
	"an AWS access key":       regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`),
	"a private key":           regexp.MustCompile(`-----BEGIN ([A-Z]+ )*PRIVATE KEY-----`),
	"a token of GitHub":       regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})\b`),
	"a token of GitLab":       regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`),
	"a token of Slack":        regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{20,}|hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}`),
	"a key of Google":         regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}\b`),
	"a key of a model's host": regexp.MustCompile(`\bsk-(ant-|proj-)?[A-Za-z0-9_-]{32,}\b`),
	"a key of Stripe":         regexp.MustCompile(`\b[rs]k_live_[A-Za-z0-9]{20,}\b`),
	"a JSON web token":        regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}\b`),
}

// assigned is a value that is given to something whose name says that it is a secret.
var assigned = regexp.MustCompile(`(?i)(?:secret|passw(?:or)?d|token|api_?key|access_?key|private_?key)[a-z_]*["']?\s*(?::=|[:=])\s*["']?([A-Za-z0-9+/_=-]{24,})`)

const (
	// leastBits of a letter: words and examples have less than what came from a random
	// generator.
	leastBits = 4.0
	// mostBinary is more than any text here.
	mostBinary = 4 << 20
)

// bits are those of entropy that a letter of text has.
func bits(text string) (sum float64) {
	count := map[rune]float64{}
	for _, letter := range text {
		count[letter]++
	}
	for _, n := range count {
		p := n / float64(utf8.RuneCountInString(text))
		sum -= p * math.Log2(p)
	}
	return sum
}

// planted marks what tests use and nobody's server takes; it stands in the value or on
// its line.
var planted = regexp.MustCompile(`(?i)planted|example|test-?only`)

// secretsIn says what looks like a secret in a text, by line.
func secretsIn(text string) (found []string) {
	for line := range strings.Lines(text) {
		if planted.MatchString(line) {
			continue
		}
		for what, shape := range shapes {
			if shape.MatchString(line) {
				found = append(found, what)
			}
		}
		for _, m := range assigned.FindAllStringSubmatch(line, -1) {
			if bits(m[1]) >= leastBits && regexp.MustCompile(`\d`).MatchString(m[1]) {
				found = append(found, "a value that is called a secret")
			}
		}
	}
	return found
}

// TestNoSecretInTheRepository: no file that is in it holds what looks like a secret.
func TestNoSecretInTheRepository(t *testing.T) {
	t.Parallel()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z")
	list.Dir = ".."
	out, err := list.Output()
	require.NoError(t, err)
	files := strings.Split(strings.TrimRight(string(out), "\x00"), "\x00")
	require.Contains(t, files, "Makefile")
	found := map[string][]string{}
	for _, file := range files {
		text := read(t, "../"+file)
		if len(text) > mostBinary || strings.ContainsRune(text[:min(len(text), 8<<10)], 0) || strings.HasSuffix(file, "go.sum") {
			continue
		}
		if secrets := secretsIn(text); len(secrets) > 0 {
			found[file] = secrets
		}
	}
	require.Empty(t, found, "take it out, make it invalid where it came from, and write `planted` beside what only looks like one")
}

// The scan finds what is put before it: the texts are put together here, so that this
// file holds none.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	random := "kq3V9xZ0bT7w" + "LmN4rYs8Pd2hGf6c" + "A1eJ5uQi"
	for name, text := range map[string]string{
		"aws":     "key: AKIA" + "IOSFODNN7QWERTYU",
		"pem":     "-----BEGIN RSA " + "PRIVATE KEY-----\nMII",
		"github":  "ghp" + "_" + random,
		"slack":   "xoxb" + "-1234567890-" + random,
		"google":  "AIza" + random[:35],
		"jwt":     "eyJ" + "hbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0" + ".c2lnbmF0dXJlMTIz",
		"env":     "export WEIR_LIVEPEER_" + "TOKEN=" + random,
		"yaml":    "  s3_secret_" + "key: \"" + random + "\"",
		"go":      "pass" + "word := \"" + random + "\"",
		"in json": `{"access_` + `token": "` + random + `"}`,
	} {
		require.NotEmpty(t, secretsIn("line\n"+text+"\nline"), name)
	}
	for _, text := range []string{
		"token := strings.TrimSpace(header)", "WEIR_API_TOKENS=studio=$(openssl rand -hex 24)", "secretKey = aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"the token_of_the_task_runner_that_studio_asks_for", "password: planted-" + random,
	} {
		require.Empty(t, secretsIn(text), text)
	}
}
