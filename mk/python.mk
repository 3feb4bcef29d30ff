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

VENV_LINT := build/venv-lint/.ready
VENV_LINT_BIN := build/venv-lint/bin
$(VENV_LINT): tools/requirements-lint.txt | $(SETUP)/build
	python3 -m venv build/venv-lint
	$(VENV_LINT_BIN)/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# For the wheel that carries the daemon.
VENV_PACKAGE := build/venv-package/.ready
$(VENV_PACKAGE): tools/requirements-package.txt | $(SETUP)/build
	python3 -m venv build/venv-package
	build/venv-package/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# For the tests of docker/: linters of container files, podman-compose.
VENV_DEPLOY := build/venv-deploy/.ready
PYTHON_DEPLOY := build/venv-deploy/bin/python
$(VENV_DEPLOY): tests/deploy/requirements.txt | $(SETUP)/build
	python3 -m venv build/venv-deploy
	$(PYTHON_DEPLOY) -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# Dask and Ray, for the tests of bulk work over replicas.
VENV_CLUSTERS := build/venv-clusters/.ready
$(VENV_CLUSTERS): tests/clusters/requirements.txt | $(SETUP)/build
	python3 -m venv build/venv-clusters
	build/venv-clusters/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# What looks at the page in a browser.
VENV_PAGE := build/venv-page/.ready
$(VENV_PAGE): tests/page/requirements.txt | $(SETUP)/build
	python3 -m venv build/venv-page
	build/venv-page/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

# The upstream codes that fixtures come from. torch goes first, alone, so that nothing pulls another build of it.
VENV_REFERENCE := build/venv-reference/.ready
VENV_REFERENCE_PYTHON := build/venv-reference/bin/python
$(VENV_REFERENCE): tests/reference/requirements.txt

# Families of upstream codes that need an environment each.
REFERENCES := $(patsubst tests/reference/requirements-%.txt,%,$(wildcard tests/reference/requirements-*.txt))
VENV_REFERENCES := $(REFERENCES:%=build/venv-reference-%/.ready)
$(VENV_REFERENCES): build/venv-reference-%/.ready: tests/reference/requirements-%.txt

# The peers of `make bench`, each in an environment of its own: mace-torch and sevenn want different e3nn.
PEERS := $(if $(FAMILY),$(filter-out drivers,$(FAMILY)),sevenn mace nequip schnetpack neighbours)
VENV_PEERS := $(PEERS:%=build/venv-peer-%/.ready)
$(VENV_PEERS): build/venv-peer-%/.ready: tests/bench/requirements-%.txt

$(VENV_REFERENCE) $(VENV_REFERENCES) $(VENV_PEERS): | $(SETUP)/build
	python3 -m venv $(@D)
	$(if $(shell grep -s '^torch==' $<),$(@D)/bin/python -m pip install $(PIP_FLAGS) "$$(grep -E '^torch==' $<)")
	$(@D)/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@
