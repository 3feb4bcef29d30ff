# Installing and packaging.

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib

.PHONY: install

$(B)/man/irrepd.1: docs/man/irrepd.1 tools/man_options.sh $(B)/irrepd
	@mkdir -p $(@D)
	@tools/man_options.sh $(B)/irrepd $< > $@

install: all ## install the daemon, the library, manual pages and a systemd unit (PREFIX=, DESTDIR=)
	tools/install.sh '$(B)' '$(DESTDIR)' '$(PREFIX)' '$(LIBDIR)'
