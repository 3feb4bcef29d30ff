#!/usr/bin/env bash
# Makes an environment for each Python that is there and runs the tests of clients/python in it.
#
#   tools/test_pythons.sh [PYTHON...]       default: python3.9 to python3.13
#
# With pyenv, PYENV_VERSION=3.9.18:3.10.13 says which of its versions have their names.
set -euo pipefail
[ $# -gt 0 ] || set -- python3.9 python3.10 python3.11 python3.12 python3.13
export PYTHONPATH=$PWD/clients/python
status=0 n_tested=0
for python in "$@"; do
  if ! name=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null); then
    echo "absent  $python"
    continue
  fi
  environment=build/venv-python$name
  if [ ! -e "$environment/.ready" ]; then
    "$python" -m venv --clear "$environment"
    "$environment/bin/python" -m pip install --quiet --upgrade --disable-pip-version-check \
      numpy ase pytest setuptools
    touch "$environment/.ready"
  fi
  echo "$python"
  "$environment/bin/python" -B -m pytest -q --tb=short -p no:cacheprovider -W ignore::DeprecationWarning \
    clients/python/tests || status=1
  n_tested=$((n_tested + 1))
done
[ "$n_tested" -gt 0 ] || status=1
exit $status
