#!/usr/bin/env bash
# Copies the daemon, the library with all that programs need to build with it, the manual pages and the systemd unit
# below a folder.
#
#   tools/install.sh BUILD_FOLDER DESTDIR PREFIX LIBDIR        DESTDIR may be "": the system itself
set -euo pipefail
[ $# = 4 ] || { sed -n 5p "$0" >&2; exit 2; }
build=$1 root=$2 prefix=$3 libdir=$4
version=$(cat VERSION)
IFS=. read -r major minor _ <<<"$version"
soname=libirrep.so.$major
libs=$(cat "$build/libirrep.libs")
examples=(clients/c/{evaluate.c,evaluate.cc,md.c,relax.c,CMakeLists.txt})
below_prefix=$libdir # as irrep.pc says it
if [[ $libdir == "$prefix"/* ]]; then below_prefix="\${prefix}${libdir#"$prefix"}"; fi

# Fills in a file of tools/install/: NAME PLACE.
fill_in() {
  sed -e "s#@PREFIX@#$prefix#g" -e "s#@LIBDIR@#$below_prefix#g" \
    -e "s#@VERSION@#$version#g" -e "s#@MAJOR@#$major#g" -e "s#@MINOR@#$minor#g" -e "s#@SONAME@#$soname#g" \
    -e "s#@LIBS@#$libs#g" -e "s#@LIBS_LIST@#${libs// /;}#g" -e "s#@POINTER_BYTES@#$(($(getconf LONG_BIT) / 8))#g" \
    -e "s#@HEADERS@#$(realpath -m --relative-to="$libdir/cmake/irrep" "$prefix/include")#g" \
    "tools/install/$1.in" >"$root$2/$1"
  chmod 644 "$root$2/$1"
}

install -D -m 755 "$build/irrepd" "$root$prefix/bin/irrepd"
install -D -m 644 -t "$root$prefix/share/man/man1" "$build/man/irrepd.1"
install -D -m 644 -t "$root$prefix/share/man/man5" docs/man/irrepd-models.5

install -D -m 644 -t "$root$libdir" "$build/libirrep.a"
install -m 644 "$build/libirrep.so" "$root$libdir/libirrep.so.$version"
ln -sf "libirrep.so.$version" "$root$libdir/$soname"
ln -sf "$soname" "$root$libdir/libirrep.so"
install -D -m 644 -t "$root$prefix/include/irrep" include/irrep/*.h
install -d "$root$libdir/pkgconfig" "$root$libdir/cmake/irrep"
fill_in irrep.pc "$libdir/pkgconfig"
fill_in irrepConfig.cmake "$libdir/cmake/irrep"
fill_in irrepConfigVersion.cmake "$libdir/cmake/irrep"
install -D -m 644 -t "$root$prefix/share/doc/irrep/examples" "${examples[@]}"

install -d "$root$prefix/lib/systemd/system"
sed "s#^ExecStart=/usr/bin#ExecStart=$prefix/bin#" docker/systemd/irrepd.service \
  >"$root$prefix/lib/systemd/system/irrepd.service"
chmod 644 "$root$prefix/lib/systemd/system/irrepd.service"
install -D -m 644 docker/systemd/irrepd.sysusers "$root$prefix/lib/sysusers.d/irrepd.conf"
install -D -m 644 docker/systemd/irrepd.tmpfiles "$root$prefix/lib/tmpfiles.d/irrepd.conf"
