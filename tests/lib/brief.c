// SPDX-License-Identifier: GPL-2.0-or-later
#define _GNU_SOURCE
/* Before any of Xen's own headers, as it is for tools. */
#include <xenctrl.h>

#include "brief.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenforeignmemory.h>
#include <xen/memory.h>

#include "lot.h"
#include "t.h"

/* The first ones are the toolstack's. */
#define FIRST_REF 8

static xc_interface *xc;
static xenforeignmemory_handle *foreign;

static void fail(const char *what)
{
	t_bail("a domain: %s: %s", what, strerror(errno));
}

uint64_t brief_word(const struct brief *brief, unsigned int page)
{
	return (uint64_t)brief->domid << 32 | page | 0xb1ef0000;
}

static void fill(const struct brief *brief, xen_pfn_t *frames)
{
	char *memory = xenforeignmemory_map(foreign, brief->domid, RW, BRIEF_PAGES, frames, NULL);

	if (!memory)
		fail("its memory");
	for (unsigned int i = 0; i < BRIEF_PAGES; i++)
		*(uint64_t *)(memory + i * PAGE) = brief_word(brief, i);
	xenforeignmemory_unmap(foreign, memory, BRIEF_PAGES);
}

static void grant(struct brief *brief, const xen_pfn_t *frames)
{
	struct grant_entry_v1 *entries;

	brief->resource = xenforeignmemory_map_resource(foreign, brief->domid,
							XENMEM_resource_grant_table,
							XENMEM_resource_grant_table_id_shared, 0, 1,
							&brief->table, RW, 0);
	if (!brief->resource)
		fail("its grant table");
	entries = brief->table;
	for (unsigned int i = 0; i < BRIEF_PAGES; i++) {
		entries[FIRST_REF + i].frame = frames[i];
		entries[FIRST_REF + i].domid = 0;
		__sync_synchronize();
		entries[FIRST_REF + i].flags = GTF_permit_access;
		brief->refs[i].domid = brief->domid;
		brief->refs[i].ref = FIRST_REF + i;
	}
}

/* An empty domain with room for so much memory. Returns its number. */
static uint32_t create(unsigned int most_kib)
{
	struct xen_domctl_createdomain config = {
		.max_vcpus = 1,
		.max_evtchn_port = 127,
		.max_grant_frames = 1,
		.grant_opts = XEN_DOMCTL_GRANT_version(1),
#ifdef __aarch64__
		.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
		.arch.gic_version = XEN_DOMCTL_CONFIG_GIC_NATIVE,
#endif
	};
	uint32_t domid = 0;

	if (!xc) {
		xc = xc_interface_open(NULL, NULL, 0);
		foreign = xenforeignmemory_open(NULL, 0);
	}
	if (!xc || !foreign)
		fail("the toolstack's interfaces");
	if (xc_domain_create(xc, &domid, &config))
		fail("creating it");
	if (xc_domain_max_vcpus(xc, domid, 1) || xc_domain_setmaxmem(xc, domid, most_kib))
		fail("its limits");
	return domid;
}

/* A port of ours that is bound to one of @domid; the descriptor that has it. */
static int channel_to(uint32_t domid, unsigned int *port)
{
	int far = xc_evtchn_alloc_unbound(xc, domid, 0), fd;

	if (far < 0)
		fail("its port");
	fd = near_open(domid, far, port);
	if (fd < 0)
		fail("binding its port");
	return fd;
}

void brief_make(struct brief *brief)
{
	xen_pfn_t frames[BRIEF_PAGES];

	brief->domid = create(BRIEF_PAGES * 8);
	for (unsigned int i = 0; i < BRIEF_PAGES; i++)
		frames[i] = i;
	if (xc_domain_populate_physmap_exact(xc, brief->domid, BRIEF_PAGES, 0, 0, frames))
		fail("its pages");
	fill(brief, frames);
	grant(brief, frames);
	brief->channel = channel_to(brief->domid, &brief->port);
}

void brief_revoke(struct brief *brief, unsigned int page)
{
	((struct grant_entry_v1 *)brief->table)[brief->refs[page].ref].flags = 0;
}

void brief_kill(struct brief *brief)
{
	xenforeignmemory_unmap_resource(foreign, brief->resource);
	if (xc_domain_destroy(xc, brief->domid))
		fail("destroying it");
}

static bool is_gone(uint32_t domid)
{
	xc_domaininfo_t info;
	int n = xc_domain_getinfolist(xc, domid, 1, &info);

	return n == 0 || (n == 1 && info.domain != domid);
}

bool brief_gone(const struct brief *brief)
{
	return is_gone(brief->domid);
}

void brief_free(struct brief *brief)
{
	close(brief->channel);
}

/* Takes pages in blocks of that order until there is none. */
static void take(uint32_t domid, unsigned int order)
{
	xen_pfn_t frames[64];
	int got;

	do {
		/* Where they are is not for a domain without page tables to know. */
		for (unsigned int i = 0; i < 64; i++)
			frames[i] = i << order;
		got = xc_domain_populate_physmap(xc, domid, 64, order, 0, frames);
	} while (got == 64);
}

void hog_make(struct hog *hog)
{
	hog->domid = create(~0U);
	take(hog->domid, 9);
	take(hog->domid, 4);
	take(hog->domid, 0);
}

unsigned long hog_left(void)
{
	xc_physinfo_t info = { 0 };

	if (xc_physinfo(xc, &info))
		fail("physinfo");
	return info.free_pages;
}

void hog_free(struct hog *hog)
{
	if (xc_domain_destroy(xc, hog->domid))
		fail("destroying it");
}

/* Xen numbers domains one after the other. */
uint32_t mapper_next(void)
{
	uint32_t domid = create(1024);

	if (xc_domain_destroy(xc, domid))
		fail("destroying it");
	return domid + 1;
}

#define MAPPER_CONFIG "mapper.cfg"

int mapper_start(uint32_t domid, const struct ioctl_gntdev_grant_ref *refs, unsigned int n)
{
	FILE *file = fopen(MAPPER_CONFIG, "w");
	int status;

	if (!file || n > MAPPER_MOST)
		fail(MAPPER_CONFIG);
	fprintf(file, "name = \"mapper\"\ntype = \"%s\"\nkernel = \"mapper-kernel\"\n"
		"memory = %d\nextra = \"refs: ", IS_ARM ? "pvh" : "pv", IS_ARM ? 32 : 8);
	for (unsigned int i = 0; i < n; i++)
		fprintf(file, "%u ", refs[i].ref);
	fprintf(file, "\"\n");
	if (fclose(file))
		fail(MAPPER_CONFIG);
	status = system("xl create -q " MAPPER_CONFIG " >mapper.log 2>&1");
	if (status)
		t_note("xl create: status %d, see mapper.log", status);
	return !status && !is_gone(domid) ? 0 : -1;
}

int mapper_channel(uint32_t domid, unsigned int *port)
{
	return channel_to(domid, port);
}

void mapper_kill(void)
{
	if (system("xl destroy mapper"))
		fail("xl destroy");
}
