# SPDX-License-Identifier: GPL-2.0
# make install, uninstall, and their parts, which debian/rules uses. See packaging/README.md.

PREFIX ?= /usr/local
RELEASE ?= $(shell uname -r)
VERSION := $(shell sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
DKMS := $(shell PATH=$$PATH:/usr/sbin command -v dkms)

dkms_source = $(DESTDIR)/usr/src/gntdev-$(VERSION)
installed_kdir = /lib/modules/$(RELEASE)/build

# FILE:PLACE of what is installed as it is
pages := $(wildcard doc/*.[1-8])
tool_files = packaging/60-gntdev.rules:$(PREFIX)/lib/udev/rules.d/60-gntdev.rules \
	packaging/gntdev.sysusers:$(PREFIX)/lib/sysusers.d/gntdev.conf \
	$(foreach page,$(pages),$(page):$(PREFIX)/share/man/man$(subst .,,$(suffix $(page)))/$(notdir $(page))) \
	$(foreach file,$(wildcard tools/*.bash-completion),\
		$(file):$(PREFIX)/share/bash-completion/completions/$(notdir $(file:.bash-completion=)))
examples = $(DESTDIR)$(PREFIX)/share/doc/gntdev/examples
tool := $(if $(wildcard tools/Makefile),gnt)

.PHONY: install
install: install-module install-tools
	install -D -m 644 packaging/modules-load.conf $(examples)/modules-load.conf
ifeq ($(DESTDIR),)
	@getent group gntdev >/dev/null || groupadd --system gntdev
	@# Of a device that is there already; without a udev that runs there is nothing to tell.
	@udevadm control --reload 2>/dev/null && \
		udevadm trigger --name-match=xen/gntdev 2>/dev/null || :
	@echo "From now on 'modprobe xen-gntdev' loads this driver; one that is loaded stays, see modprobe -r."
endif

.PHONY: uninstall
uninstall: uninstall-module
	rm -f $(foreach file,$(tool_files),$(DESTDIR)$(lastword $(subst :, ,$(file)))) \
		$(DESTDIR)$(PREFIX)/bin/gnt
	rm -f $(examples)/modules-load.conf
	@rmdir $(examples) $(dir $(examples)) 2>/dev/null || :

# The udev rule with its group, manual pages, and gnt.
.PHONY: install-tools
install-tools: build-tools
	@for file in $(tool_files); do \
		echo "install $(DESTDIR)$${file#*:}"; \
		install -D -m 644 "$${file%%:*}" "$(DESTDIR)$${file#*:}" || exit; \
	done
	$(if $(tool),install -D build/tools/gnt $(DESTDIR)$(PREFIX)/bin/gnt)

# vm/ with what it builds our driver from, as the command xen-vm-run.
vm_share = $(PREFIX)/share/gntdev-vm
.PHONY: install-vm
install-vm:
	@echo "install $(DESTDIR)$(vm_share)"
	@for file in vm/README.md $$(find vm driver -type f -not -name '*.md' -not -name '*.bash-completion') \
			include/uapi/xen/gntdev.h Makefile; do \
		mode=644; [ ! -x "$$file" ] || mode=755; \
		install -D -m $$mode "$$file" "$(DESTDIR)$(vm_share)/$$file" || exit; \
	done
	@mkdir -p $(DESTDIR)$(PREFIX)/bin
	ln -sf ../share/gntdev-vm/vm/run $(DESTDIR)$(PREFIX)/bin/xen-vm-run
	@mkdir -p $(DESTDIR)$(PREFIX)/share/man/man1
	@# It has the same page under either name; the commands in it are this one.
	sed -e 's,^\.TH vm-run,.TH xen-vm-run,; s,^vm-run \\-,xen-vm-run \\-,; s,vm/run,xen-vm-run,g' doc/vm-run.1 \
		>$(DESTDIR)$(PREFIX)/share/man/man1/xen-vm-run.1
	install -D -m 644 vm/run.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/xen-vm-run

.PHONY: uninstall-vm
uninstall-vm:
	rm -rf $(DESTDIR)$(vm_share)
	rm -f $(DESTDIR)$(PREFIX)/bin/xen-vm-run $(DESTDIR)$(PREFIX)/share/man/man1/xen-vm-run.1 \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/xen-vm-run

.PHONY: build-tools
build-tools:
	$(if $(tool),@$(MAKE) --no-print-directory -C tools OUT=$(CURDIR)/build/tools)

# What DKMS builds from, and the parameters.
.PHONY: install-source
install-source: install-parameters
	@echo "install $(dkms_source)"
	@install -d $(dkms_source)/driver
	@install -m 644 driver/*.[ch] driver/Kbuild $(dkms_source)/driver/
	@# DKMS holds two modules without a version for the same, and would leave Linux's in its place.
	@grep -q MODULE_VERSION driver/main.c || \
		echo 'MODULE_VERSION("$(VERSION)");' >>$(dkms_source)/driver/main.c
	@install -D -m 644 include/uapi/xen/gntdev.h $(dkms_source)/include/uapi/xen/gntdev.h
	@sed 's/#MODULE_VERSION#/$(VERSION)/' packaging/dkms.conf >$(dkms_source)/dkms.conf

# What somebody wrote there stays.
.PHONY: install-parameters
install-parameters:
	@[ -e $(DESTDIR)/etc/modprobe.d/gntdev.conf ] || \
		install -D -m 644 packaging/modprobe.conf $(DESTDIR)/etc/modprobe.d/gntdev.conf

.PHONY: install-module uninstall-module
ifneq ($(DKMS),)
# One after the other, under make -j, too.
install-source: forget
install-module: install-source
ifeq ($(DESTDIR),)
	$(DKMS) install -m gntdev -v $(VERSION) -k $(RELEASE)
endif

uninstall-module: forget
	rm -rf $(dkms_source)
	@cmp -s packaging/modprobe.conf $(DESTDIR)/etc/modprobe.d/gntdev.conf && \
		rm -f $(DESTDIR)/etc/modprobe.d/gntdev.conf || :

# DKMS would keep what it built of older sources of this version, and older versions for later kernels.
.PHONY: forget
forget:
ifeq ($(DESTDIR),)
	@for version in $$($(DKMS) status -m gntdev | sed -n 's|^gntdev[/, ]*\([^,: ]*\).*|\1|p' | sort -u); do \
		if dpkg -S "/usr/src/gntdev-$$version" >/dev/null 2>&1; then \
			echo "the package gntdev-dkms is installed: apt-get remove it first" >&2; exit 1; \
		fi; \
		$(DKMS) remove -m gntdev -v "$$version" --all && rm -rf "/usr/src/gntdev-$$version" || exit; \
	done
	@rm -rf $(dkms_source)
endif
else
install-module: install-parameters
	@$(MAKE) --no-print-directory module KERNEL=$(RELEASE) KDIR=$(installed_kdir)
	$(MAKE) -C $(installed_kdir) M=$(BUILDS)/kdir/tree/driver \
		INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates modules_install
	$(if $(DESTDIR),,depmod $(RELEASE))

uninstall-module:
	rm -f $(DESTDIR)/lib/modules/$(RELEASE)/updates/xen-gntdev.ko*
	$(if $(DESTDIR),,depmod $(RELEASE))
	@cmp -s packaging/modprobe.conf $(DESTDIR)/etc/modprobe.d/gntdev.conf && \
		rm -f $(DESTDIR)/etc/modprobe.d/gntdev.conf || :
endif
