// SPDX-License-Identifier: GPL-2.0-or-later
#include "lend.h"

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

static xengnttab_handle *gnttab;
static int dmabuf = -1;

/* A buffer of the only graphics driver here, which has no hardware. */
static int make_buffer(unsigned int pages)
{
	uint32_t handle, pitch;
	uint64_t size;
	int card = open("/dev/dri/card0", O_RDWR | O_CLOEXEC), buffer;

	if (card < 0)
		fail("cannot open /dev/dri/card0");
	if (drmModeCreateDumbBuffer(card, PAGE_BYTES / 4, pages, 32, 0, &handle, &pitch, &size) ||
	    drmPrimeHandleToFD(card, handle, DRM_CLOEXEC | DRM_RDWR, &buffer))
		fail("vgem makes no buffer of %u pages", pages);
	close(card);
	return buffer;
}

char *lend_pages(unsigned int domid, unsigned int pages, struct offer *offer)
{
	char *memory;

	if (!pages || pages > MAX_PAGES)
		failx("%u pages cannot be granted, 1 to %d can", pages, MAX_PAGES);
	dmabuf = make_buffer(pages);
	gnttab = xengnttab_open(NULL, 0);
	if (!gnttab)
		fail("cannot open /dev/xen/gntdev");
	if (xengnttab_dmabuf_imp_to_refs(gnttab, domid, dmabuf, pages, offer->refs))
		fail("cannot grant the %u pages of a dma-buf to domain %u", pages, domid);
	memory = mmap(NULL, pages * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, dmabuf, 0);
	if (memory == MAP_FAILED)
		fail("cannot map the dma-buf of this domain");
	offer->domid = atoi(getenv("VM_DOMID"));
	offer->pages = pages;
	return memory;
}

void lend_end(void)
{
	if (xengnttab_dmabuf_imp_release(gnttab, dmabuf))
		fail("cannot end the grants of the dma-buf");
	xengnttab_close(gnttab);
}
