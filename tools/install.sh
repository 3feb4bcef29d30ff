#!/usr/bin/env bash
# Copies the daemon, the library and its headers below $DESTDIR$PREFIX.
#
#   DESTDIR=/staging tools/install.sh BUILD_FOLDER PREFIX
set -euo pipefail
build=${1:?build folder}
prefix=${2:?prefix}
root=${DESTDIR:-}$prefix

install -d "$root/bin" "$root/lib/pkgconfig" "$root/include/irrep"
install -m 755 "$build/irrepd" "$root/bin/irrepd"
install -m 644 "$build/libirrep.a" "$root/lib/libirrep.a"
install -m 755 "$build/libirrep.so" "$root/lib/libirrep.so.0"
ln -sf libirrep.so.0 "$root/lib/libirrep.so"
install -m 644 include/irrep/*.h "$root/include/irrep/"

private_libs="-lm"
if [ -e core/base/blas.c ]; then private_libs="-lopenblas -lm"; fi
cat >"$root/lib/pkgconfig/irrep.pc" <<END
prefix=$prefix
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: irrep
Description: Equivariant interatomic potentials: load, plan, evaluate
Version: 0
Libs: -L\${libdir} -lirrep
Libs.private: $private_libs
Cflags: -I\${includedir}
END
