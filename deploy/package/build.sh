#!/usr/bin/env bash
# Makes the Debian package and the tarball of this tree in build/package.
#   usage: deploy/package/build.sh VERSION, from the root, with build/bin/nfpm
set -euo pipefail

version=$1
out=build/package
root=$out/root
rm -rf "$root" && mkdir -p "$root/usr/bin" "$root/usr/share/"{man/man1,bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}

for program in daemon admin; do
  CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X weir/config/buildinfo.version=$version" -o "$root/usr/bin/weir-$program" "./cmd/$program"
  binary=$root/usr/bin/weir-$program
  "$binary" completion bash > "$root/usr/share/bash-completion/completions/weir-$program"
  "$binary" completion zsh > "$root/usr/share/zsh/vendor-completions/_weir-$program"
  "$binary" completion fish > "$root/usr/share/fish/vendor_completions.d/weir-$program.fish"
  WEIR_TEST_MAN_PAGES=$PWD/$root/usr/share/man/man1 go test -count=1 -ldflags "-X weir/config/buildinfo.version=$version" -run '^TestManPages$' "./cmd/$program" >/dev/null
done
gzip -9n "$root"/usr/share/man/man1/*.1

# Debian's versions begin with a digit; what git describe says of a commit behind a tag, or
# of none, sorts behind the release before.
deb=${version#v}
case $deb in [0-9]*.*) ;; *) deb=0.0~git.$deb ;; esac
deb=${deb//-/+}
ARCH=$(go env GOARCH)
export ARCH DEB_VERSION=$deb
rm -f "$out"/*.deb "$out"/*.tar.gz
build/bin/nfpm package --config deploy/package/nfpm.yaml --packager deb --target "$out/weir_${deb}_$ARCH.deb" >"$out/log" ||
  { cat "$out/log" >&2; exit 1; } # it tells of its errors there

mkdir -p "$root/lib/systemd/system" "$root/etc/weir" "$root/usr/share/doc/weir"
cp deploy/systemd/weir-daemon.service "$root/lib/systemd/system/"
install -m 0640 deploy/package/weir.env "$root/etc/weir/weir.env"
cp -r docs ./*.md "$root/usr/share/doc/weir/"
mkdir -p "$root/usr/share/doc/weir/deploy/"{prometheus,grafana}
cp deploy/prometheus/*.yml "$root/usr/share/doc/weir/deploy/prometheus/"
cp deploy/grafana/weir.json "$root/usr/share/doc/weir/deploy/grafana/"
tar -C "$root" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" \
  -czf "$out/weir_${deb}_linux_$ARCH.tar.gz" .
ls "$out"/*.deb "$out"/*.tar.gz
