#!/usr/bin/env bash
# Every static check, to the end: clang-format, tools/lint.py, ruff, mypy, clang-tidy. Fails when one of them does.
#
#   RUFF=ruff MYPY=mypy JOBS=2 tools/lint.sh        from the root of the project
set -euo pipefail
jobs=${JOBS:-$(nproc)}
status=0
sources() { git ls-files -z -co --exclude-standard -- "$@"; }
step() {
  local start=$SECONDS name=$1
  shift
  if "$@"; then echo "ok    $name  ($((SECONDS - start)) s)"; else
    echo "FAIL  $name"
    status=1
  fi
}

check_format() { sources '*.c' '*.cc' '*.h' | xargs -0 -r clang-format --dry-run -Werror; }

# Each file alone, so that one bad file hides no other. Tests run under sanitizers instead. What clang-tidy says on
# stderr is only counts.
check_tidy() {
  local flags
  flags="$(pkg-config --cflags libmicrohttpd libcjson libuv gnutls openblas) -std=gnu11 -I. -Iinclude"
  export TIDY_FLAGS="$flags -DIRREP_REAL_BITS=32 -DIRREP_ISA=v2 -Wno-unknown-warning-option"
  # shellcheck disable=SC2016
  sources 'core/*.c' 'server/*.c' |
    xargs -0 -r -P "$jobs" -n 1 sh -c 'clang-tidy --quiet "$1" -- $TIDY_FLAGS 2>/dev/null' tidy
}

step clang-format check_format
step tools/lint.py python3 tools/lint.py
step ruff "${RUFF:-ruff}" check --quiet .
step mypy "${MYPY:-mypy}" --config-file clients/python/pyproject.toml --no-error-summary clients/python/irrepd
step clang-tidy check_tidy
exit $status
