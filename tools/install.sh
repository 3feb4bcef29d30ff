#!/usr/bin/env bash
# Copies the daemon, the library with its headers, the manual pages and the systemd unit below a folder.
#
#   tools/install.sh BUILD_FOLDER DESTDIR PREFIX LIBDIR        DESTDIR may be "": the system itself
set -euo pipefail
[ $# = 4 ] || { sed -n 4p "$0" >&2; exit 2; }
build=$1 root=$2 prefix=$3 libdir=$4
version=$(cat VERSION)

install -D -m 755 "$build/irrepd" "$root$prefix/bin/irrepd"
install -D -m 644 -t "$root$prefix/share/man/man1" "$build/man/irrepd.1"
install -D -m 644 -t "$root$prefix/share/man/man5" docs/man/irrepd-models.5

install -D -m 644 -t "$root$libdir" "$build/libirrep.a"
install -m 644 "$build/libirrep.so" "$root$libdir/libirrep.so.0"
ln -sf libirrep.so.0 "$root$libdir/libirrep.so"
install -D -m 644 -t "$root$prefix/include/irrep" include/irrep/*.h

install -d "$root$libdir/pkgconfig"
cat >"$root$libdir/pkgconfig/irrep.pc" <<END
prefix=$prefix
libdir=${libdir/#"$prefix"/'${prefix}'}
includedir=\${prefix}/include

Name: irrep
Description: Equivariant interatomic potentials: load, plan, evaluate
Version: $version
Libs: -L\${libdir} -lirrep
Libs.private: -lm
Cflags: -I\${includedir}
END

install -d "$root$prefix/lib/systemd/system"
sed "s#^ExecStart=/usr/bin#ExecStart=$prefix/bin#" docker/systemd/irrepd.service \
  >"$root$prefix/lib/systemd/system/irrepd.service"
chmod 644 "$root$libdir/pkgconfig/irrep.pc" "$root$prefix/lib/systemd/system/irrepd.service"
install -D -m 644 docker/systemd/irrepd.sysusers "$root$prefix/lib/sysusers.d/irrepd.conf"
install -D -m 644 docker/systemd/irrepd.tmpfiles "$root$prefix/lib/tmpfiles.d/irrepd.conf"
