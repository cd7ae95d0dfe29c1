# SPDX-License-Identifier: GPL-2.0
# gntdev: the Xen grant device for Linux

KERNEL ?= 6.1
CACHE := $(or $(GNTDEV_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gntdev)
BUILD := build/$(KERNEL)
KDIR ?= $(CACHE)/$(KERNEL)/headers

DRIVER := $(wildcard driver/*.[ch]) driver/Kbuild include/uapi/xen/gntdev.h

.PHONY: module
module: $(BUILD)/xen-gntdev.ko

# The module is built beside the sources, so that one tree can serve several kernels.
$(BUILD)/xen-gntdev.ko: $(DRIVER)
	@mkdir -p $(BUILD)/tree/driver $(BUILD)/tree/include/uapi/xen
	@[ "$(origin KDIR)" != file ] || vm/fetch $(KERNEL)
	@cp -u driver/*.[ch] driver/Kbuild $(BUILD)/tree/driver/
	@cp -u include/uapi/xen/gntdev.h $(BUILD)/tree/include/uapi/xen/
	$(MAKE) -C $(KDIR) M=$(CURDIR)/$(BUILD)/tree/driver W=$(W) CONFIG_DEBUG_INFO_BTF_MODULES= modules
	@cp $(BUILD)/tree/driver/xen-gntdev.ko $@
