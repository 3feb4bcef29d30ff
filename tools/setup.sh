#!/usr/bin/env bash
# Installs the Debian packages that a group of make targets needs, where they are missing.
#
#   tools/setup.sh build|test|lint|fuzz|soak|page|package|docs|deploy-files|deploy
#
# As root it installs them; otherwise it prints the command and fails. Elsewhere than on Debian and its
# relatives it only names them and goes on.
set -euo pipefail

group=${1:?usage: tools/setup.sh build|test|lint|fuzz|soak|page|package|docs|deploy-files|deploy}
packages=(gcc g++ libc6-dev binutils pkg-config libmicrohttpd-dev libcjson-dev libuv1-dev libgnutls28-dev
  zlib1g-dev libzstd-dev libopenblas-serial-dev libsymspg-dev python3 python3-venv ca-certificates curl)
case $group in
build) ;;
test) packages+=(cmake iproute2 libcmocka-dev libcurl4-gnutls-dev liblammps-dev locales mandoc nftables openssl valgrind) ;;
lint) packages+=(libcmocka-dev clang-format clang-tidy git) ;;
fuzz) packages+=(clang libclang-rt-14-dev) ;;
package) packages+=(dpkg-dev) ;;
docs) packages+=(doxygen) ;;
deploy-files) packages+=(haproxy prometheus systemd) ;;
deploy)
  packages+=(haproxy prometheus buildah podman runc netavark aardvark-dns iptables nftables iproute2 mmdebstrap
    lintian mandoc systemd)
  ;;
soak) packages+=(wrk) ;;
page) packages+=(chromium fonts-liberation) ;;
*)
  echo "tools/setup.sh: unknown group '$group'" >&2
  exit 2
  ;;
esac

if ! command -v dpkg-query >/dev/null; then
  echo "tools/setup.sh: not a Debian system; needed here are the counterparts of: ${packages[*]}" >&2
  exit 0
fi

# One after the other: apt-get does not run twice at a time.
mkdir -p build
exec 9>build/.setup-lock
flock 9

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $state == ii* ]] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
  echo "tools/setup.sh: packages are missing; run: sudo apt-get install ${missing[*]}" >&2
  exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=5 -o Dpkg::Use-Pty=0)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for pause in 2 10 30 0; do
  if "${apt[@]}" update >"$log" 2>&1 &&
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >>"$log" 2>&1; then
    exit 0
  fi
  sleep "$pause"
done
cat "$log" >&2
echo "tools/setup.sh: apt-get could not install ${missing[*]}" >&2
exit 1
