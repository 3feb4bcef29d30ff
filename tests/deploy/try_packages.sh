#!/usr/bin/env bash
# Installs the wheel and then the Debian packages in a new Debian 12 that is thrown away afterwards, and predicts with
# each, libirrep-dev alone before the others: as root, in a container or chroot.
#
#   DISPOSABLE=1 tests/deploy/try_packages.sh FOLDER_OF_PACKAGES FOLDER_OF_MODELS
set -euo pipefail
[ $# = 2 ] && [ "${DISPOSABLE:-}" = 1 ] || { sed -n 2,5p "$0" >&2; exit 2; }
packages=$(realpath "$1") models=$(realpath "$2") examples=$(realpath "$(dirname "$0")/../../clients/c")
url=unix:/tmp/irrepd.sock
export DEBIAN_FRONTEND=noninteractive
cd /

install_packages() { apt-get install -qq -y --no-install-recommends "$@" >/dev/null; }

wait_for_daemon() {
  for _ in $(seq 100); do
    if irrepd --healthcheck "$url" 2>/dev/null; then return; fi
    sleep 0.2
  done
  cat /tmp/log
  return 1
}

# The energy and forces of silicon through the calculator, with the Python that is named.
calculate() {
  "$1" - "$url" <<END
import sys
from ase.build import bulk
from irrepd import IrrepCalculator
atoms = bulk("Si", a=5.43)
atoms.calc = IrrepCalculator(url=sys.argv[1], model="sevennet-0")
assert abs(atoms.get_potential_energy() + 10.80) < 0.01
assert abs(atoms.get_forces()).max() < 1e-3
print("silicon", atoms.get_potential_energy(), "eV")
END
}

try_wheel() {
  install_packages ca-certificates python3-venv
  python3 -m venv /tmp/venv
  /tmp/venv/bin/pip install --quiet --disable-pip-version-check "$packages"/irrepd-*.whl ase
  local PATH=/tmp/venv/bin:$PATH
  irrepd --version
  irrepd --models "$models" --listen "$url" >/tmp/log 2>&1 &
  local daemon=$!
  wait_for_daemon
  calculate python3
  kill $daemon
  wait $daemon
  IRREPD_MODELS=$models python3 -c '
import irrepd
from ase.build import molecule
atoms = molecule("CH3OH")
atoms.calc = irrepd.local()
print("irrepd.local: methanol", atoms.get_potential_energy(), "eV")'
  python3 -m irrepd.convert --help >/dev/null
  echo "the wheel works"
}

# Builds the example in C as the package says, and runs it.
build_and_evaluate() {
  # shellcheck disable=SC2046
  cc -o /tmp/evaluate "$examples/evaluate.c" $(pkg-config --cflags --libs irrep)
  /tmp/evaluate "$models/schnet-small.safetensors"
}

try_development_package() {
  install_packages "$packages"/libirrep-dev_*.deb gcc pkg-config
  test ! -e "$(dirname "$(dpkg -L libirrep-dev | grep 'libirrep\.a$')")/libirrep.so.0"
  build_and_evaluate
  echo "libirrep-dev works alone"
}

try_debian_packages() {
  install_packages "$packages"/*.deb python3-ase gcc libc6-dev pkg-config
  test "$(command -v irrepd)" = /usr/bin/irrepd
  test "$(stat -c %U:%a /var/lib/irrepd/models)" = root:755
  test -e /etc/systemd/system/multi-user.target.wants/irrepd.service
  cp "$models"/*.safetensors /var/lib/irrepd/models/
  setpriv --reuid=irrepd --regid=irrepd --init-groups irrepd \
    --models /var/lib/irrepd/models --listen "$url" >/tmp/log 2>&1 &
  local daemon=$!
  wait_for_daemon
  calculate /usr/bin/python3
  kill $daemon
  wait $daemon
  build_and_evaluate
  ldd /tmp/evaluate | grep -q libirrep.so.0
  apt-get remove -qq -y --purge irrepd >/dev/null
  test ! -e /usr/bin/irrepd
  test -e /var/lib/irrepd/models/sevennet-0.safetensors
  echo "the Debian packages work"
}

apt-get update -qq
try_wheel
try_development_package
try_debian_packages
