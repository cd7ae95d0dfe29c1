// SPDX-License-Identifier: GPL-2.0-or-later
/* /dev/xen/gntdev, by libxengnttab, and what its refusals mean. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <xentoollog.h>

#include <xen/gntdev.h>

#include "device.h"
#include "domain.h"

static void say_nothing(struct xentoollog_logger *logger, xentoollog_level level, int error,
			const char *context, const char *format, va_list arguments)
{
	(void)logger, (void)level, (void)error, (void)context, (void)format, (void)arguments;
}

struct xentoollog_logger silent = { .vmessage = say_nothing };

void open_failed(const char *path, const char *module)
{
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		fail("%s is not there: this is no Xen domain, or the module %s is not loaded", path,
		     module);
	case EACCES:
	case EPERM:
		fail("%s may be opened by root and its group only", path);
	default:
		fail("%s: %s", path, strerror(errno));
	}
}

xengnttab_handle *device_open(void)
{
	xengnttab_handle *device = xengnttab_open(&silent, 0);

	if (!device)
		open_failed(GNTDEV_PATH, "xen-gntdev");
	return device;
}

/* Is this a domain that cannot map its own pages? See gntdev(4), NOTES. */
static bool auto_translated(void)
{
	char type[8] = "";
	FILE *file = fopen("/sys/hypervisor/guest_type", "re");

	if (!file)
		return false;
	if (!fgets(type, sizeof(type), file))
		type[0] = 0;
	fclose(file);
	return !strncmp(type, "PVH", 3) || !strncmp(type, "HVM", 3);
}

const char *map_reason(int error, unsigned int domid)
{
	switch (error) {
	case EACCES:
		return "Xen denies permission";
	case EAGAIN:
		return "the page is paged out at the moment";
	case EINVAL:
		if (auto_translated() && own_domid() == (int)domid)
			return "a PVH or HVM domain cannot map pages that it grants to itself";
		return "it is not granted to this domain, or not any more";
	case ENOMEM:
		return "there is not enough memory";
	case ENOSPC:
		return "Xen has no room for another mapping, or the limit of the device is reached";
	case EOPNOTSUPP:
		return "this domain cannot have memory of that kind";
	case ESRCH:
		return "there is no such domain";
	default:
		return strerror(error);
	}
}

const char *xen_reason(int status)
{
	switch (status) {
	case GNTST_bad_domain:
		return "there is no such domain";
	case GNTST_bad_gntref:
		return "there is no such reference";
	case GNTST_no_device_space:
	case GNTST_no_space:
		return "Xen has no room";
	case GNTST_permission_denied:
		return "Xen denies permission";
	case GNTST_bad_page:
		return "the page cannot be used for that";
	case GNTST_bad_copy_arg:
		return "it would cross the end of the page";
	case GNTST_eagain:
		return "the page is paged out at the moment";
	case GNTST_general_error:
		return "it is not granted to this domain, or not any more, or for reading only";
	default:
		return "Xen refuses it";
	}
}

static int protection(bool writable)
{
	return writable ? PROT_READ | PROT_WRITE : PROT_READ;
}

static bool can_map(xengnttab_handle *device, unsigned int domid, uint32_t ref, bool writable)
{
	void *page = xengnttab_map_grant_ref(device, domid, ref, protection(writable));
	int error = errno;

	if (page)
		unmap_refs(device, page, 1);
	errno = error;
	return page;
}

void map_failed(xengnttab_handle *device, unsigned int domid, const uint32_t *refs, unsigned int n,
		bool writable, int error)
{
	for (unsigned int i = 0; i < n; i++) {
		int its_error;

		if (can_map(device, domid, refs[i], writable))
			continue;
		its_error = errno;
		if (writable && its_error == EINVAL && can_map(device, domid, refs[i], false))
			fail("domain %u, reference %u: it is granted for reading only", domid,
			     refs[i]);
		fail("domain %u, reference %u: %s", domid, refs[i], map_reason(its_error, domid));
	}
	fail("domain %u, %u references from %u on together: %s", domid, n, refs[0],
	     map_reason(error, domid));
}

void *map_refs(xengnttab_handle *device, unsigned int domid, const uint32_t *refs, unsigned int n,
	       bool writable)
{
	/* The library's argument is not const; it does not write there. */
	void *pages = xengnttab_map_domain_grant_refs(device, n, domid, (uint32_t *)refs,
						      protection(writable));

	if (!pages)
		map_failed(device, domid, refs, n, writable, errno);
	return pages;
}

void unmap_refs(xengnttab_handle *device, void *pages, unsigned int n)
{
	if (xengnttab_unmap(device, pages, n))
		fail("the pages cannot be unmapped: %s", strerror(errno));
}

void notify_at_unmap(xengnttab_handle *device, void *pages, long byte, int port)
{
	/* The library has it for a single page only. */
	struct ioctl_gntdev_get_offset_for_vaddr place = { .vaddr = (uintptr_t)pages };
	struct ioctl_gntdev_unmap_notify notify = { 0 };

	if (ioctl(xengnttab_fd(device), IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR, &place))
		fail("the device does not find its mapping: %s", strerror(errno));
	notify.index = place.offset;
	if (byte >= 0) {
		notify.index += byte;
		notify.action |= UNMAP_NOTIFY_CLEAR_BYTE;
	}
	if (port >= 0) {
		notify.event_channel_port = port;
		notify.action |= UNMAP_NOTIFY_SEND_EVENT;
	}
	if (ioctl(xengnttab_fd(device), IOCTL_GNTDEV_SET_UNMAP_NOTIFY, &notify))
		fail("a notification at offset %ld cannot be set: %s", byte < 0 ? 0 : byte,
		     strerror(errno));
}
