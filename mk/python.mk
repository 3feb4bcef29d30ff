# Virtual environments below build/, made when a target needs them. Each stamp is the file .ready inside.

PIP_FLAGS := --quiet --retries 5 --disable-pip-version-check

# For models: numpy alone, and the package of clients/python by a .pth file.
VENV := build/venv/.ready
PYTHON := build/venv/bin/python
TESTS_REQUIREMENTS := $(wildcard tests/requirements.txt)
$(VENV): $(TESTS_REQUIREMENTS) | $(SETUP)/build
	python3 -m venv build/venv
	$(PYTHON) -m pip install $(PIP_FLAGS) "$$(sed -nE 's/^(numpy[^ #]*).*/\1/p' tests/requirements.txt | grep . || echo numpy)"
	echo '$(CURDIR)/clients/python' > "$$($(PYTHON) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/irrepd.pth"
	@touch $@

# The same environment with what the tests need besides.
VENV_TESTS := build/venv/.tests-ready
PYTHON_TESTS := $(PYTHON)
$(VENV_TESTS): $(TESTS_REQUIREMENTS) | $(VENV)
	$(PYTHON) -m pip install $(PIP_FLAGS) -r tests/requirements.txt
	@touch $@

# Environments of their own for ruff, mypy (lint); the wheel that carries the daemon (package); docs/ (docs); linters of container
# files, podman-compose (deploy); Dask and Ray (clusters); a browser that is led (page);
# physical_validation (trajectories).
VENV_LINT := build/venv-lint/.ready
VENV_LINT_BIN := build/venv-lint/bin
VENV_PACKAGE := build/venv-package/.ready
VENV_DOCS := build/venv-docs/.ready
VENV_DEPLOY := build/venv-deploy/.ready
PYTHON_DEPLOY := build/venv-deploy/bin/python
VENV_CLUSTERS := build/venv-clusters/.ready
VENV_PAGE := build/venv-page/.ready
VENV_TRAJECTORIES := build/venv-trajectories/.ready
$(VENV_LINT) $(VENV_PACKAGE) $(VENV_DOCS): build/venv-%/.ready: tools/requirements-%.txt
$(VENV_DEPLOY) $(VENV_CLUSTERS) $(VENV_PAGE) $(VENV_TRAJECTORIES): build/venv-%/.ready: tests/%/requirements.txt

# The upstream codes that fixtures come from.
VENV_REFERENCE := build/venv-reference/.ready
VENV_REFERENCE_PYTHON := build/venv-reference/bin/python
$(VENV_REFERENCE): tests/reference/requirements.txt

# Families of upstream codes that need an environment each.
REFERENCES := $(patsubst tests/reference/requirements-%.txt,%,$(wildcard tests/reference/requirements-*.txt))
VENV_REFERENCES := $(REFERENCES:%=build/venv-reference-%/.ready)
$(VENV_REFERENCES): build/venv-reference-%/.ready: tests/reference/requirements-%.txt

# The peers of `make bench`, each in an environment of its own: mace-torch and sevenn want different e3nn.
OF_LAMMPS := mace symmetrix
PEERS := $(if $(FAMILY),$(patsubst derivatives,mace,$(patsubst lammps,$(OF_LAMMPS),$(filter-out drivers committees operations,$(FAMILY)))),sevenn mace symmetrix nequip schnetpack matgl neighbours dispersion trajectories)
VENV_PEERS := $(PEERS:%=build/venv-peer-%/.ready)
$(VENV_PEERS): build/venv-peer-%/.ready: tests/bench/requirements-%.txt

# torch goes first, alone, so that nothing pulls another build of it.
$(VENV_LINT) $(VENV_PACKAGE) $(VENV_DOCS) $(VENV_DEPLOY) $(VENV_CLUSTERS) $(VENV_PAGE) $(VENV_TRAJECTORIES) \
  $(VENV_REFERENCE) $(VENV_REFERENCES) $(VENV_PEERS): | $(SETUP)/build
	python3 -m venv $(@D)
	$(if $(shell grep -s '^torch==' $<),$(@D)/bin/python -m pip install $(PIP_FLAGS) "$$(grep -E '^torch==' $<)")
	$(@D)/bin/python -m pip install $(PIP_FLAGS) -r $<
	$(if $(shell grep -s '^# no-deps: ' $<),$(@D)/bin/python -m pip install $(PIP_FLAGS) --no-deps $(shell sed -n 's/^# no-deps: //p' $<))
	@touch $@
