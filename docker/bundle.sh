#!/usr/bin/env bash
# Lays out what a container needs to run the daemon:
#   FOLDER/root/      the stripped daemon, the shared libraries that it loads, a user, an empty /models
#   FOLDER/packages   the Debian packages that these libraries come from, one a line
#
#   docker/bundle.sh PROGRAM FOLDER
set -euo pipefail
program=${1:?program}
folder=${2:?folder}
root=$folder/root

install -d "$root/etc" "$root/models"
install -D -s -m 755 "$program" "$root/usr/local/bin/irrepd"
install -D -m 644 LICENSE "$root/usr/share/doc/irrepd/LICENSE"
echo 'irrepd:x:10001:10001:irrepd:/:/sbin/nologin' >"$root/etc/passwd"
echo 'irrepd:x:10001:' >"$root/etc/group"

# "name => /path (address)" and "/path (address)"
libraries=$(ldd "$program" | grep -oE '/[^ ]+')
for library in $libraries; do
  install -D -m 755 "$library" "$root$library"
done
# /lib is a link to /usr/lib, and dpkg may know a file by either name.
for library in $libraries; do
  dpkg-query -S "$(readlink -f "$library")" 2>/dev/null || dpkg-query -S "$library"
done | cut -d: -f1 | sort -u >"$folder/packages"
