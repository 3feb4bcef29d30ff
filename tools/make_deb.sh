#!/usr/bin/env bash
# Writes the Debian packages irrepd (the daemon, its unit and manual pages), python3-irrepd (the calculator, the command
# line and the converter), libirrep0 (the shared library) and libirrep-dev (for programs that use it).
#
#   tools/make_deb.sh BUILD_FOLDER OUTPUT_FOLDER
#
# Times of files come from SOURCE_DATE_EPOCH, the maintainer from DEBFULLNAME and DEBEMAIL.
set -euo pipefail
[ $# = 2 ] || { sed -n 5p "$0" >&2; exit 2; }
build=$1 output=$2
version=$(cat VERSION)
machine=$(dpkg --print-architecture)
libdir=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
maintainer="${DEBFULLNAME:-irrepd} <${DEBEMAIL:-irrepd@localhost}>"
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-0}
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# The packages that the libraries of a program come from, in the versions that have the symbols it uses: PACKAGE PATH.
# Of OpenBLAS the one without threads, where none is there yet.
libraries_of() {
  mkdir -p "$stage/debian" "$stage/$1/DEBIAN"
  touch "$stage/debian/control" # dpkg-shlibdeps looks for both
  (cd "$stage" && dpkg-shlibdeps -O "$1/$2") |
    sed -nE -e 's/\blibopenblas0\b/libopenblas0-serial | &/' -e 's/^shlibs:Depends=//p'
}

# What belongs to every package: licence, changelog, checksums. $1: its name.
add_documents() {
  local root=$stage/$1
  install -D -m 644 LICENSE "$root/usr/share/doc/$1/copyright"
  printf '%s (%s) unstable; urgency=medium\n\n  * Release.\n\n -- %s  %s\n' "$1" "$version" "$maintainer" \
    "$(date -uRd "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$root/usr/share/doc/$1/changelog.gz"
  (cd "$root" && find usr -type f -printf '%p\0' | sort -z | xargs -0 md5sum) >"$stage/md5sums"
}

# Packs the tree $stage/NAME, with the files for dpkg in tools/deb/: NAME ARCHITECTURE, and the rest of the control file
# on standard input.
pack() {
  local root=$stage/$1 file=$output/$1_${version}_$2.deb name
  add_documents "$1"
  install -D -m 644 "$stage/md5sums" "$root/DEBIAN/md5sums"
  for name in postinst prerm postrm shlibs triggers; do
    if [ -e "tools/deb/$1.$name" ]; then cp "tools/deb/$1.$name" "$root/DEBIAN/$name"; fi
  done
  if [ -d "$root/etc" ]; then (cd "$root" && find etc -type f -printf '/%p\n') >"$root/DEBIAN/conffiles"; fi
  {
    printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$1" "$version" "$2" "$maintainer"
    printf 'Installed-Size: %s\nPriority: optional\n' "$(du -sk --apparent-size --exclude=DEBIAN "$root" | cut -f1)"
    cat
  } >"$root/DEBIAN/control"
  rm -f "$output/$1_"*.deb
  dpkg-deb --root-owner-group -Zxz --build "$root" "$file" >/dev/null
  echo "$file"
}

pack_daemon() {
  local root=$stage/irrepd
  strip "$root/usr/bin/irrepd"
  gzip -9n "$root"/usr/share/man/man?/*
  # The directories of tmpfiles.d and the user of sysusers.d are the package's.
  rm -r "$root/usr/lib/sysusers.d" "$root/usr/lib/tmpfiles.d"
  install -d "$root/etc/irrepd" "$root/var/lib/irrepd/models"
  install -D -m 644 tools/deb/irrepd.default "$root/etc/default/irrepd"
  pack irrepd "$machine" <<END
Section: science
Depends: adduser, $(libraries_of irrepd usr/bin/irrepd)
Recommends: python3-irrepd
Description: serve machine-learned interatomic potentials over HTTP
 irrepd keeps equivariant interatomic potentials (SevenNet, NequIP, Allegro,
 MACE, SchNet, PaiNN, SO3Net) in memory and answers with the energy, forces and
 stress of the atomic structures that it is sent.
END
}

# libirrep-dev suffices alone: where libirrep0 is not installed, the linker finds the static library, for which irrep.pc
# names what it needs, and CMake takes that one too.
pack_libraries() {
  local runtime=$stage/libirrep0/$libdir dev=$stage/libirrep-dev shared=libirrep.so.$version
  mkdir -p "$runtime" "$dev/usr/lib" "$dev/usr/share/doc/libirrep-dev"
  mv "$stage/irrepd/$libdir"/libirrep.so.* "$runtime"
  mv "$stage/irrepd/usr/include" "$dev/usr/include"
  mv "$stage/irrepd/$libdir" "$dev/$libdir"
  mv "$stage/irrepd/usr/share/doc/irrep/examples" "$dev/usr/share/doc/libirrep-dev/examples"
  rmdir "$stage/irrepd/usr/share/doc/irrep" "$stage/irrepd/usr/share/doc"
  sed -i "s/^Libs: .*/& $(cat "$build/libirrep.libs")/" "$dev/$libdir/pkgconfig/irrep.pc"
  strip --strip-unneeded "$runtime/$shared"
  strip --strip-debug --enable-deterministic-archives "$dev/$libdir/libirrep.a"
  pack libirrep0 "$machine" <<END
Section: libs
Depends: $(libraries_of libirrep0 "$libdir/$shared")
Description: equivariant interatomic potentials, shared library
 The library that the daemon irrepd computes with: it loads a model file, and
 evaluates energies, forces and stresses of atomic structures.
END
  pack libirrep-dev "$machine" <<END
Section: libdevel
Depends: libc6-dev, libopenblas-serial-dev | libopenblas-dev, libsymspg-dev
Recommends: libirrep0 (= $version)
Breaks: libirrep0 (<< $version), libirrep0 (>> $version)
Description: equivariant interatomic potentials, for programs in C and C++
 Headers, the static library and the files for pkg-config and CMake of
 libirrep, which loads a model file and evaluates energies, forces and stresses
 of atomic structures.
END
}

pack_python() {
  local root=$stage/python3-irrepd package=usr/lib/python3/dist-packages/irrepd name
  (cd clients/python/irrepd && find . -name '*.py' -o -name py.typed) | while read -r name; do
    install -D -m 644 "clients/python/irrepd/$name" "$root/$package/$name"
  done
  install -m 644 clients/python/irrepd-ase.pth "$root/${package%/*}"
  pack python3-irrepd all <<END
Section: python
Depends: python3 (>= 3.9), python3-numpy
Recommends: python3-ase
Suggests: irrepd, python3-gemmi
Description: client, ASE calculator and checkpoint converter for irrepd
 The Python side of the daemon irrepd: a calculator for ASE, streams of many
 structures, and the converter of SevenNet, NequIP, Allegro, MACE and
 SchNetPack checkpoints into model files.
END
}

umask 022
mkdir -p "$output"
tools/install.sh "$build" "$stage/irrepd" /usr "/$libdir"
pack_libraries
pack_daemon
pack_python
