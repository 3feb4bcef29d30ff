# Installing and packaging.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

# Packages made from the same commit have the same bytes.
export SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)

.PHONY: install wheel deb

$(B)/man/irrepd.1: docs/man/irrepd.1 tools/man_options.sh $(B)/irrepd
	@mkdir -p $(@D)
	@tools/man_options.sh $(B)/irrepd $< > $@

install: all ## install the daemon, the library, manual pages and a systemd unit (PREFIX=, DESTDIR=)
	tools/install.sh '$(B)' '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)'

VENV_PACKAGE := build/venv-package/.ready
$(VENV_PACKAGE): tools/requirements-package.txt | $(SETUP)/build
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install $(PIP_FLAGS) -r $<
	@touch $@

wheel: build/irrepd | $(VENV_PACKAGE) ## write build/dist/irrepd-*.whl: the Python package with the daemon and its libraries
	PATH="$(CURDIR)/build/venv-package/bin:$$PATH" python tools/make_wheel.py build/irrepd build/dist

deb: all $(SETUP)/package ## write Debian packages to build/dist/: irrepd, python3-irrepd, libirrep0, libirrep-dev
	tools/make_deb.sh build build/dist
