// Package pkg tests the Debian package in a Debian of its own.
package pkg

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	suite = "bookworm"
	// fresh is how long a bootstrapped Debian is used again: nothing of what is tested
	// depends on its newest patches.
	fresh = 30 * 24 * time.Hour
	conf  = "/etc/weir/weir.env"
)

// root runs a program as root, who may chroot.
func root(t *testing.T, args ...string) (string, error) {
	t.Helper()
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...) // clean-ups come behind its end
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// debian is a root folder with a minimal Debian in it.
type debian struct{ root string }

// bootstrap makes one, from an archive of a former run where there is one.
func bootstrap(t *testing.T) *debian {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	archive := filepath.Join(cache, "weir", "debian-"+suite+".tar")
	// Not t.TempDir: what root made, only root removes.
	d := &debian{}
	d.root, err = os.MkdirTemp("", "weir-package-") //nolint:usetesting // t.TempDir removes it as this user
	require.NoError(t, err)
	t.Cleanup(func() {
		out, err := root(t, "rm", "-rf", "--one-file-system", d.root)
		require.NoError(t, err, out)
	})
	if info, err := os.Stat(archive); err == nil && time.Since(info.ModTime()) < fresh {
		out, err := root(t, "tar", "-C", d.root, "--numeric-owner", "-xpf", archive)
		require.NoError(t, err, out)
		return d
	}
	out, err := root(t, "debootstrap", "--variant=minbase", suite, d.root)
	require.NoError(t, err, out)
	require.NoError(t, os.MkdirAll(filepath.Dir(archive), 0o755))
	whole := archive + ".made"
	out, err = root(t, "tar", "-C", d.root, "--numeric-owner", "-cf", whole, ".")
	require.NoError(t, err, out)
	out, err = root(t, "mv", whole, archive)
	require.NoError(t, err, out)
	return d
}

func (d *debian) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return root(t, append([]string{"chroot", d.root}, args...)...)
}

func (d *debian) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := d.try(t, args...)
	require.NoError(t, err, "%s: %s", strings.Join(args, " "), out)
	return out
}

// install gives a package to dpkg, which asks nothing and keeps changed settings, as apt
// does where nobody is there to ask.
func (d *debian) install(t *testing.T, deb string) (string, error) {
	t.Helper()
	out, err := root(t, "cp", deb, d.root+"/tmp/")
	require.NoError(t, err, out)
	return d.try(t, "dpkg", "--force-confold", "--install", "/tmp/"+filepath.Base(deb))
}

func (d *debian) there(t *testing.T, path string) bool {
	t.Helper()
	_, err := root(t, "test", "-e", d.root+path)
	return err == nil
}

// owned is USER:GROUP:MODE of a file, by the names in there.
func (d *debian) owned(t *testing.T, path string) string {
	t.Helper()
	return strings.TrimSpace(d.run(t, "stat", "-c", "%U:%G:%a", path))
}

func (d *debian) write(t *testing.T, path, text string) {
	t.Helper()
	d.run(t, "sh", "-c", `printf %s "$1" > "$2"`, "sh", text, path)
}

// version is what the package of these tests calls itself.
const version = "v7.2.0"

// made makes the package once for all tests, without the flags of a make that runs us.
var made = sync.OnceValue(func() error {
	cmd := exec.Command("make", "-s", "package", "VERSION="+version)
	cmd.Dir = "../.."
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); name != "MAKEFLAGS" && name != "MFLAGS" && name != "MAKELEVEL" {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make package: %w: %s", err, out)
	}
	return nil
})

func only(t *testing.T, pattern string) string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.Len(t, found, 1, pattern)
	return found[0]
}

// TestPackage: the package installs, is upgraded, removed and purged, and leaves alone
// what is the operator's.
func TestPackage(t *testing.T) {
	t.Parallel()
	require.NoError(t, made())
	newer := only(t, "../../build/package/*.deb")
	older := olderThan(t, "7.1.0")
	d := bootstrap(t)

	// It says what it needs.
	out, err := d.install(t, older)
	require.Error(t, err)
	require.Contains(t, out, "weir depends on ffmpeg")
	d.run(t, "dpkg", "--purge", "weir")
	for _, name := range []string{"ffmpeg", "ca-certificates"} {
		out, err := d.install(t, standIn(t, name))
		require.NoError(t, err, out)
	}

	out, err = d.install(t, older)
	require.NoError(t, err, out)
	require.Equal(t, "root:weir:640", d.owned(t, conf))
	require.Equal(t, "weir:weir:755", d.owned(t, "/var/lib/weir/spool"))
	require.Regexp(t, `^weir:x:[1-9]\d{0,2}:`, d.run(t, "getent", "passwd", "weir"), "a user of the system")
	require.Contains(t, d.run(t, "weir-admin", "version"), "weir-admin v7.2.0")
	require.Contains(t, d.run(t, "weir-daemon", "version"), "weir-daemon v7.2.0")
	for path, owned := range map[string]string{
		"/usr/bin/weir-daemon": "root:root:755", "/usr/bin/weir-admin": "root:root:755",
		"/lib/systemd/system/weir-daemon.service": "root:root:644",
		"/usr/share/man/man1/weir-daemon.1.gz":    "root:root:644", "/usr/share/man/man1/weir-admin-transcodes-retry.1.gz": "root:root:644",
		"/usr/share/bash-completion/completions/weir-admin":    "root:root:644",
		"/usr/share/zsh/vendor-completions/_weir-admin":        "root:root:644",
		"/usr/share/fish/vendor_completions.d/weir-admin.fish": "root:root:644",
		"/usr/share/bash-completion/completions/weir-daemon":   "root:root:644",
		"/usr/share/doc/weir/docs/first-hour.md":               "root:root:644",
		"/usr/share/doc/weir/docs/runbooks/host-dead.md":       "root:root:644", // pages lead to each other
	} {
		require.Equal(t, owned, d.owned(t, path), path)
	}
	there := strings.Fields(d.run(t, "find", "/usr/share/doc/weir", "-type", "f"))
	for _, page := range documents(t) {
		require.Contains(t, there, page)
	}
	// As it comes it names nothing, and says so: no daemon starts with it by mistake.
	out, err = d.try(t, "weir-daemon", "config", "check", "--config", conf)
	require.Error(t, err)
	require.Contains(t, out, "WEIR_DATABASE_URL is not set")

	// What the operator writes survives an upgrade that has another example.
	const mine = "WEIR_HOST_SLOTS=7\nWEIR_CALLBACK_SECRET=hush-hush\n"
	d.write(t, conf, mine)
	d.write(t, "/var/lib/weir/spool/source", "bytes")
	out, err = d.install(t, newer)
	require.NoError(t, err, out)
	require.Contains(t, d.run(t, "dpkg-query", "-W", "-f", "${Version}", "weir"), "7.2.0")
	require.Equal(t, mine, d.run(t, "cat", conf))
	require.Equal(t, "root:weir:640", d.owned(t, conf))
	require.True(t, d.there(t, conf+".dpkg-dist"), "the new example lies beside it")
	require.True(t, d.there(t, "/var/lib/weir/spool/source"))
	require.Contains(t, d.run(t, "weir-admin", "config", "print"), "WEIR_HOST_SLOTS", "weir-admin finds the file by itself")
	require.NotContains(t, d.run(t, "weir-admin", "config", "print"), "hush")
	// The daemon's user may read it, others may not.
	d.run(t, "setpriv", "--reuid=weir", "--regid=weir", "--clear-groups", "cat", conf)
	_, err = d.try(t, "setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "cat", conf)
	require.Error(t, err)

	// Removed, and what is the operator's is still there; installed again, it is taken up.
	d.run(t, "dpkg", "--remove", "weir")
	require.False(t, d.there(t, "/usr/bin/weir-daemon"))
	require.False(t, d.there(t, "/lib/systemd/system/weir-daemon.service"))
	require.Equal(t, mine, d.run(t, "cat", conf))
	require.True(t, d.there(t, "/var/lib/weir/spool/source"))
	out, err = d.install(t, newer)
	require.NoError(t, err, out)
	require.Equal(t, mine, d.run(t, "cat", conf))

	// Purged, and nothing is left but the user.
	d.run(t, "dpkg", "--purge", "weir")
	for _, path := range []string{"/etc/weir", "/var/lib/weir", "/usr/bin/weir-admin", "/usr/share/doc/weir"} {
		require.False(t, d.there(t, path), path)
	}
	d.run(t, "getent", "passwd", "weir")
}

// documents are where the package has all that pages lead to: themselves, their pictures,
// and what Prometheus and Grafana are given.
func documents(t *testing.T) (paths []string) {
	t.Helper()
	for _, part := range []struct{ from, to string }{{"../../docs", "docs/"}, {"../../deploy/prometheus", "deploy/prometheus/"}, {"../../deploy/grafana", "deploy/grafana/"}} {
		require.NoError(t, filepath.WalkDir(part.from, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.IsDir() && entry.Name() == "tests":
				return fs.SkipDir
			case !entry.IsDir():
				rest, err := filepath.Rel(part.from, path)
				paths = append(paths, "/usr/share/doc/weir/"+part.to+rest)
				return err
			}
			return nil
		}))
	}
	require.Contains(t, paths, "/usr/share/doc/weir/docs/screenshots/overview-phone.png")
	return paths
}

// olderThan is the package of a release before, with another example of the settings.
func olderThan(t *testing.T, version string) string {
	t.Helper()
	text, err := os.ReadFile("../../deploy/package/nfpm.yaml")
	require.NoError(t, err)
	folder := t.TempDir()
	example := filepath.Join(folder, "weir.env")
	require.NoError(t, os.WriteFile(example, []byte("# the example of an older release\n"), 0o600))
	const source = "src: deploy/package/weir.env"
	require.Contains(t, string(text), source)
	config := filepath.Join(folder, "nfpm.yaml")
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(string(text), source, "src: "+example, 1)), 0o600))
	return nfpm(t, config, version, filepath.Join(folder, "older.deb"))
}

// standIn is an empty package of that name: what ours depends on is Debian's matter.
func standIn(t *testing.T, name string) string {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "nfpm.yaml")
	require.NoError(t, os.WriteFile(config, []byte("name: "+name+"\narch: all\nversion: \"1\"\nmaintainer: a test <test@localhost>\ndescription: stands in\n"), 0o600))
	return nfpm(t, config, "1", filepath.Join(folder, name+".deb"))
}

func nfpm(t *testing.T, config, version, deb string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "build/bin/nfpm", "package", "--config", config, "--packager", "deb", "--target", deb)
	cmd.Dir = "../.."
	arch, err := exec.CommandContext(t.Context(), "go", "env", "GOARCH").Output()
	require.NoError(t, err)
	cmd.Env = append(os.Environ(), "DEB_VERSION="+version, "ARCH="+strings.TrimSpace(string(arch)))
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return deb
}

// link is [text](target) of a page, without what comes after a # in it.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)\s]*\)`)

// TestTarball: for other systems, the same files in the same places.
func TestTarball(t *testing.T) {
	t.Parallel()
	require.NoError(t, made())
	file, err := os.Open(only(t, "../../build/package/*.tar.gz"))
	require.NoError(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	require.NoError(t, err)
	modes, pages := map[string]fs.FileMode{}, map[string]string{}
	for reader := tar.NewReader(unzipped); ; {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Zero(t, header.Uid, header.Name)
		name := strings.TrimPrefix(header.Name, ".")
		modes[name] = header.FileInfo().Mode().Perm()
		if path.Ext(name) == ".md" {
			text, err := io.ReadAll(reader)
			require.NoError(t, err)
			pages[name] = string(text)
		}
	}
	require.Equal(t, fs.FileMode(0o755), modes["/usr/bin/weir-daemon"])
	require.Equal(t, fs.FileMode(0o755), modes["/usr/bin/weir-admin"])
	require.Equal(t, fs.FileMode(0o640), modes[conf])
	require.Contains(t, modes, "/lib/systemd/system/weir-daemon.service")
	require.Contains(t, modes, "/usr/share/man/man1/weir-admin.1.gz")
	require.Contains(t, modes, "/usr/share/doc/weir/docs/runbooks/host-dead.md")
	for _, page := range documents(t) {
		require.Contains(t, modes, page)
	}
	led := 0
	for name, text := range pages {
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if !strings.Contains(m[1], ":") { // https:, mailto:
				led++
				require.Contains(t, modes, path.Join(path.Dir(name), m[1]), "%s links to %s", name, m[1])
			}
		}
	}
	require.Contains(t, pages, "/usr/share/doc/weir/README.md")
	require.Greater(t, led, len(pages))
	for name := range modes {
		require.NotRegexp(t, `\.(go|sql)$`, name)
	}
}
