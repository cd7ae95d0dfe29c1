# SPDX-License-Identifier: GPL-2.0
# gntdev: the Xen grant device for Linux. `make help` tells what can be made.

# The system: a Xen and a kernel of Debian's. See vm/fetch --help.
XEN ?= $(or $(VM_XEN),4.20)
KERNEL ?= $(or $(VM_KERNEL),6.12)
DRIVER ?= ours
ifneq ($(filter newest newest-%,$(KERNEL)),)
override KERNEL := $(or $(shell vm/fetch --newest),$(error no newest kernel is known))$(KERNEL:newest%=%)
endif
# The mode of dom0 on amd64: pv or pvh.
DOM0 ?= pv
# What of make check: each rule once, or also what takes long.
HOW := $(if $(QUICK),--quick,$(if $(FULL),--full))
# amd64 or arm64. Those who build on a machine of its own for KDIR need not say which it is.
ARCH ?= amd64
CACHE := $(or $(GNTDEV_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gntdev)
# Where it is built: vm/systems knows, too.
BUILDS := $(abspath $(or $(GNTDEV_BUILD),build))

ifeq ($(ARCH),arm64)
BUILD := $(BUILDS)/arm64/$(KERNEL)
KDIR ?= $(CACHE)/arm64/$(KERNEL)/headers
CROSS := ARCH=arm64 $(if $(filter aarch64,$(shell uname -m)),,CROSS_COMPILE=aarch64-linux-gnu-)
else
BUILD := $(BUILDS)/$(KERNEL)
KDIR ?= $(CACHE)/$(KERNEL)/headers
# The kernel has a name of its own for amd64, and takes ours if it was said to this make.
CROSS := $(if $(filter-out file,$(origin ARCH)),ARCH=x86)
endif

# Whatever KDIR is, and however new: its build asks itself what is to do.
ifneq ($(origin KDIR),file)
BUILD := $(BUILDS)/kdir
.PHONY: $(BUILD)/xen-gntdev.ko
endif

SOURCES := $(wildcard driver/*.[ch]) driver/Kbuild include/uapi/xen/gntdev.h

.PHONY: help
help:
	@echo "make demo      boot a Xen host with two guests, and watch pages cross between them"
	@echo "make check     the tests, on Xen hosts of their own (XEN=4.20|4.17, KERNEL=6.12|6.1|7.3|newest,"
	@echo "               ARCH=amd64|arm64, DOM0=pv|pvh; QUICK=1: each rule once; FULL=1: with what takes long)"
	@echo "make check-debug  the same on kernels that look for mistakes (QUICK=1: a part of it)"
	@echo "make check-64k  that a kernel with pages of 64 KiB is refused (arm64)"
	@echo "make check-clients  programs that people run: xl, QEMU, vchan... (XEN=, KERNEL=)"
	@echo "make bench     measure the driver that Linux ships and this one, side by side"
	@echo "make module    the driver: build/KERNEL/xen-gntdev.ko  (KERNEL=, W=1; KDIR=...: build/kdir/)"
	@echo "make modules-all  that it builds for every kernel, flavour and architecture of Debian 12 and 13"
	@echo "make tools     gnt, for people who debug grants: build/tools/gnt (man -l doc/gnt.1)"
	@echo "make install   DKMS for the module, manual pages, udev rule  (DESTDIR=, PREFIX=$(PREFIX); make uninstall)"
	@echo "make latency   measure how long each of them keeps others waiting (XEN=, KERNEL=)"
	@echo "make check-install  build the Debian packages on Debian 12 and 13, and try them there"
	@echo "make check-host  make demo and a part of make check on a fresh Debian 12 and 13"
	@echo "make lint      check what needs no Xen, coding style included"
	@echo "make clean     remove what was built (not what was fetched: $(CACHE))"

.PHONY: demo
demo: setup
	@demo/run --xen $(XEN) --kernel $(KERNEL)

.PHONY: check
check: setup
	@tests/check --arch $(ARCH) --dom0 $(DOM0) --xen $(XEN) --kernel $(KERNEL) --driver $(DRIVER) $(HOW)

# On kernels that are built for it, which look for mistakes: ten minutes more the first time. With
# QUICK, in dom0 only, and what make check runs.
.PHONY: check-debug
check-debug: setup
	@tests/check-vm --xen $(XEN) --kernel $(firstword $(subst -, ,$(KERNEL)))-debug --timeout 14400 $(if $(QUICK),dom0,--often)

.PHONY: check-64k
check-64k: setup
	@tests/check-64k

.PHONY: check-clients
check-clients: setup
	@clients/run --xen $(XEN) --kernel $(KERNEL) --driver $(DRIVER) --dom0 $(DOM0)

.PHONY: bench
bench:
	@vm/setup --run --bench
	@bench/run --arch $(ARCH) --xen $(XEN) --kernel $(KERNEL)

.PHONY: latency
latency:
	@vm/setup --run --bench
	@latency/run --xen $(XEN) --kernel $(KERNEL)

.PHONY: check-install
check-install:
	@vm/setup --run --package
	@packaging/test

.PHONY: check-host
check-host:
	@vm/setup --package
	@tests/check-host

.PHONY: lint
lint: setup
	@tests/static --lint

# The packages of Debian that the other targets need. Says so when it installs one.
.PHONY: setup
setup:
	@vm/setup

.PHONY: module
module: $(BUILD)/xen-gntdev.ko

# For all kernels that it is made for, without a warning.
.PHONY: modules-all
modules-all: setup
	@tests/static --kernels

# gnt(1), linked with Debian's Xen libraries; what is built in the older release runs on both.
.PHONY: tools
tools:
	@vm/in-root --release bookworm make --no-print-directory -C tools OUT=$(CURDIR)/build/tools

# Built beside the sources, so that one tree serves several kernels.
made_for := $(if $(filter file,$(origin KDIR)),$(dir $(KDIR))kernel-release)
$(BUILD)/xen-gntdev.ko: $(SOURCES) $(wildcard $(made_for))
	@[ "$(origin KDIR)" != file ] || vm/fetch --arch $(ARCH) --headers $(KERNEL)
	@[ -z "$(made_for)" ] || cmp -s $(made_for) $(BUILD)/made-for || rm -rf $(BUILD)
	@mkdir -p $(BUILD)/tree/driver $(BUILD)/tree/include/uapi/xen
	@cp -u driver/*.[ch] driver/Kbuild $(BUILD)/tree/driver/
	@cp -u include/uapi/xen/gntdev.h $(BUILD)/tree/include/uapi/xen/
	@$(if $(filter file,$(origin KDIR)),vm/in-root --arch $(ARCH) --kernel $(KERNEL) make,$(MAKE)) \
		--no-print-directory -C $(KDIR) $(CROSS) M=$(BUILD)/tree/driver W=$(W) \
		CONFIG_DEBUG_INFO_BTF_MODULES= modules
	@cp $(BUILD)/tree/driver/xen-gntdev.ko $@
	@[ -z "$(made_for)" ] || cp $(made_for) $(BUILD)/made-for

.PHONY: clean
clean:
	rm -rf build

# Not there where vm/ is installed alone.
-include packaging/install.mk
