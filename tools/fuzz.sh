#!/usr/bin/env bash
# Runs each fuzz target of build/fuzz/ for some seconds over its seeds; fails when one finds something.
#
#   tools/fuzz.sh [SECONDS]
#
# Seeds: tests/fuzz/corpus/NAME/, and what tests/fuzz/make_NAME_corpus.py writes; words in tests/fuzz/NAME.dict.
# What a run learns stays in build/fuzz/corpus/NAME/, a finding in build/fuzz/findings/.
set -euo pipefail
seconds=${1:-60}
status=0
mkdir -p build/fuzz/findings
for source in tests/fuzz/fuzz_*.c; do
  target=$(basename "$source" .c)
  name=${target#fuzz_}
  folders=("build/fuzz/corpus/$name")
  mkdir -p "${folders[0]}"
  if [ -d "tests/fuzz/corpus/$name" ]; then folders+=("tests/fuzz/corpus/$name"); fi
  if [ -e "tests/fuzz/make_${name}_corpus.py" ]; then
    folders+=("build/fuzz/seeds/$name")
    python3 "tests/fuzz/make_${name}_corpus.py" "build/fuzz/seeds/$name"
  fi
  options=()
  if [ -e "tests/fuzz/$name.dict" ]; then options=("-dict=tests/fuzz/$name.dict"); fi
  log=build/fuzz/$target.log
  if "build/fuzz/$target" "${options[@]}" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=3072 -print_final_stats=1 \
    -artifact_prefix="build/fuzz/findings/$name-" "${folders[@]}" >"$log" 2>&1; then
    runs=$(sed -nE 's/^stat::number_of_executed_units: *//p' "$log")
    echo "$target: no finding in $seconds s, $runs runs"
  else
    status=1
    tail -n 60 "$log"
    echo "$target: a finding; see $log and build/fuzz/findings/"
  fi
done
exit $status
