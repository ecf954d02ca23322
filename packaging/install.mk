# What is installed where. Included by the Makefile.
#
#     make build && sudo make install               into /usr/local
#     make install PREFIX=/usr DESTDIR=stage        for a package
#
# `install` builds nothing, so that root needs no toolchain. It replaces only its own files; an existing configuration
# belongs to the administrator, and stays.

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
DESTDIR ?=
PYRUSE ?= target/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/pyruse

BINDIR = $(PREFIX)/bin
DATADIR = $(PREFIX)/share
UNITDIR = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
MANDIR = $(DATADIR)/man
DOCDIR = $(DATADIR)/doc/pyruse
BASHDIR = $(DATADIR)/bash-completion/completions
# Where zsh looks on most systems, and in /usr/local on all; Debian's packages use another directory.
ZSHDIR = $(DATADIR)/zsh/site-functions
FISHDIR = $(DATADIR)/fish/vendor_completions.d

# The variables for a Debian package.
DEBIAN = PREFIX=/usr ZSHDIR=/usr/share/zsh/vendor-completions

UNITS = pyruse.service pyruse-boot@.service pyruse-nft-sets.service
# Services that may empty the sets when they load their firewall.
FIREWALLS = nftables netfilter-persistent ipset firewalld

.PHONY: install uninstall

install:
	@test -x $(PYRUSE) || { echo "$(PYRUSE) does not exist: run make build" >&2; exit 1; }
	install -d $(DESTDIR)$(BINDIR)
	install -m 755 $(if $(shell command -v strip),-s) $(PYRUSE) $(DESTDIR)$(BINDIR)/pyruse
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR)
	for unit in $(UNITS); do \
	    sed -e 's#@BINDIR@#$(BINDIR)#' -e 's#@DATADIR@#$(DATADIR)#' -e 's#@DOCDIR@#$(DOCDIR)#' \
	        -e 's#@SYSCONFDIR@#$(SYSCONFDIR)#' packaging/systemd/$$unit.in >$(DESTDIR)$(UNITDIR)/$$unit && \
	    chmod 644 $(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done
	for firewall in $(FIREWALLS); do \
	    install -D -m 644 packaging/systemd/firewall-reload.conf \
	        $(DESTDIR)$(UNITDIR)/$$firewall.service.d/pyruse.conf || exit 1; \
	done
	install -D -m 644 packaging/bans.nft $(DESTDIR)$(DATADIR)/pyruse/bans.nft
	install -m 644 packaging/systemd/sysusers.conf $(DESTDIR)$(SYSUSERSDIR)/pyruse.conf
	packaging/install-man $(DOCDIR) $(DESTDIR)$(MANDIR)
	install -D -m 644 packaging/completions/pyruse.bash $(DESTDIR)$(BASHDIR)/pyruse
	install -D -m 644 packaging/completions/_pyruse $(DESTDIR)$(ZSHDIR)/_pyruse
	install -D -m 644 packaging/completions/pyruse.fish $(DESTDIR)$(FISHDIR)/pyruse.fish
	packaging/install-tree docs $(DESTDIR)$(DOCDIR)/docs
	install -m 644 README.md LICENSE-MIT LICENSE-APACHE $(DESTDIR)$(DOCDIR)
	packaging/install-tree examples $(DESTDIR)$(DOCDIR)/examples
	packaging/install-tree examples/rules $(DESTDIR)$(DATADIR)/pyruse/rules
	cd $(DESTDIR)$(DATADIR)/pyruse/rules && rm -rf */recorded */record *.py
	rm -rf $(DESTDIR)$(DOCDIR)/examples/rules
	ln -s ../../../pyruse/rules $(DESTDIR)$(DOCDIR)/examples/rules
	packaging/install-tree packaging/systemd/examples $(DESTDIR)$(DOCDIR)/examples/systemd
	install -d $(DESTDIR)$(SYSCONFDIR)/pyruse/rules.d
	test -e $(DESTDIR)$(SYSCONFDIR)/pyruse/pyruse.json || \
	    { sed -e 's#/usr/share/doc/pyruse#$(DOCDIR)#' packaging/pyruse.json >$(DESTDIR)$(SYSCONFDIR)/pyruse/pyruse.json && \
	    chmod 644 $(DESTDIR)$(SYSCONFDIR)/pyruse/pyruse.json; }
	@test -n "$(DESTDIR)" || echo "Now: systemd-sysusers && systemctl daemon-reload && systemctl enable --now pyruse"

# The configuration, the state and the user stay. Pyruse must be stopped first: without the units, nothing removes the bans
# from the firewall.
uninstall:
	@test -n "$(DESTDIR)" || ! { systemctl --quiet is-active pyruse pyruse-nft-sets || \
	    systemctl --quiet is-enabled pyruse; } 2>/dev/null || \
	    { echo "First: systemctl stop pyruse pyruse-nft-sets; systemctl disable pyruse" >&2; exit 1; }
	rm -f $(DESTDIR)$(BINDIR)/pyruse
	rm -f $(addprefix $(DESTDIR)$(UNITDIR)/,$(UNITS)) $(DESTDIR)$(SYSUSERSDIR)/pyruse.conf
	for firewall in $(FIREWALLS); do \
	    rm -f $(DESTDIR)$(UNITDIR)/$$firewall.service.d/pyruse.conf; \
	    rmdir $(DESTDIR)$(UNITDIR)/$$firewall.service.d 2>/dev/null || true; \
	done
	rm -rf $(DESTDIR)$(DATADIR)/pyruse
	rm -f $(DESTDIR)$(MANDIR)/man1/pyruse.1 $(DESTDIR)$(MANDIR)/man1/pyruse-*.1 $(DESTDIR)$(MANDIR)/man5/pyruse.json.5
	rm -f $(DESTDIR)$(BASHDIR)/pyruse $(DESTDIR)$(ZSHDIR)/_pyruse $(DESTDIR)$(FISHDIR)/pyruse.fish
	rm -rf $(DESTDIR)$(DOCDIR)
	@test -n "$(DESTDIR)" || echo "Now: systemctl daemon-reload"
	@echo "Not removed: $(SYSCONFDIR)/pyruse, /var/lib/pyruse, the user pyruse"

# A Debian package, in target/debian.
.PHONY: deb
deb: build
	rm -rf target/stage
	$(MAKE) --no-print-directory install $(DEBIAN) DESTDIR=target/stage >/dev/null
	packaging/make-deb target/stage target/debian

# The files for distribution, in target/dist: the Debian package, the tarball with the program, and the one with the sources.
DIST ?= target/dist
.PHONY: dist dist-files
dist: build
	$(MAKE) --no-print-directory dist-files
# Uses the existing program.
dist-files:
	rm -rf $(DIST)
	packaging/make-tarballs $(DIST) $(PYRUSE)
	$(MAKE) --no-print-directory install $(DEBIAN) DESTDIR=$(DIST)/stage >/dev/null
	packaging/make-deb $(DIST)/stage $(DIST)
	rm -rf $(DIST)/stage
	cd $(DIST) && sha256sum * >SHA256SUMS

# The same with cargo-deb (`cargo install cargo-deb`), in target/debian.
.PHONY: cargo-deb
cargo-deb: build
	rm -rf target/stage
	$(MAKE) --no-print-directory install $(DEBIAN) DESTDIR=target/stage >/dev/null
	cargo deb --package pyruse-bin --no-build --no-strip

# An RPM, in target/rpm, with the binary that `build` has made; elsewhere, packaging/rpm/pyruse.spec builds the binary itself.
.PHONY: rpm
rpm: build
	@.ci/install rpm
	packaging/make-rpm target/rpm $(PYRUSE)

# Installs, upgrades, breaks and removes the package on test machines, with real mail servers: as root; takes minutes.
.PHONY: package-test
package-test: deb
	@.ci/install package-test
	rm -rf target/stage target/stage-local
	$(MAKE) --no-print-directory install $(DEBIAN) DESTDIR=target/stage >/dev/null
	PYRUSE_VERSION=0.1.0-2 packaging/make-deb target/stage target/debian
	$(MAKE) --no-print-directory install DESTDIR=target/stage-local >/dev/null
	packaging/test/run target/debian/pyruse_*-1_*.deb target/debian/pyruse_*-2_*.deb target/stage-local \
	    target/package-test
	PYRUSE_TEST_RELEASE=trixie packaging/test/run target/debian/pyruse_*-1_*.deb target/debian/pyruse_*-2_*.deb \
	    target/stage-local target/package-test-trixie newcomer lifecycle firewalls mail-servers journals
	PYRUSE_TEST_RELEASE=sid packaging/test/run target/debian/pyruse_*-1_*.deb target/debian/pyruse_*-2_*.deb \
	    target/stage-local target/package-test-sid journals
