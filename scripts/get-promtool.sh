#!/bin/sh
# Puts promtool, the checker of Prometheus, into .cache/promtool: it is taken out of Debian's package, which would otherwise install and
# start a server. Does nothing where promtool is already there.
set -eu
cd "$(dirname "$0")/.."
if command -v promtool >/dev/null 2>&1 || [ -x .cache/promtool/promtool ]; then exit 0; fi
if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
  echo "promtool cannot be had without apt-get: the tests of alerts and dashboard that need it are skipped." >&2
  exit 1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT INT TERM
chmod 755 "$folder"
(cd "$folder" && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg-deb -x prometheus_*.deb unpacked) >/dev/null
mkdir -p .cache/promtool
mv "$folder/unpacked/usr/bin/promtool" .cache/promtool/promtool
