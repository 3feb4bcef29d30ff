#!/usr/bin/env bash
# Prints a manual page with the options of a program in the place of its line `.\" OPTIONS`.
#
#   tools/man_options.sh build/irrepd docs/man/irrepd.1
set -euo pipefail
program=${1:?program}
page=${2:?manual page}

# From lines such as "  --max-queue N    structures waiting [16384]". No line may begin with a dot or an apostrophe, be
# longer than 80 characters or end in a space.
options() {
  "$program" --help | sed -nE 's/\\/\\e/g; s/^  --([a-z0-9-]+) (\S*) +(.*)$/\1|\2|\3/p' | while IFS='|' read -r name argument text; do
    echo ".It Fl \\-$name${argument:+ Ar $argument}"
    fold -s -w 78 <<<"$text" | sed -E "s/ +\$//; s/^([.'])/\\\\\&\\1/"
  done
}

while IFS= read -r line; do
  if [ "$line" = '.\" OPTIONS' ]; then options; else printf '%s\n' "$line"; fi
done <"$page"
