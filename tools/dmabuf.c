// SPDX-License-Identifier: GPL-2.0-or-later
/* gnt dmabuf: a dma-buf of pages that another domain shares. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/dma-buf.h>

#include <xen/gntdev.h>

#include "bytes.h"
#include "device.h"
#include "wait.h"

static int export(xengnttab_handle *device, unsigned int domid, const struct refs *refs,
		  uint32_t flags)
{
	uint32_t buffer;
	int error;

	if (!xengnttab_dmabuf_exp_from_refs(device, domid, flags, refs->n, refs->ref, &buffer))
		return buffer;
	error = errno;
	if (error == ENOTTY)
		fail("the driver of %s makes no dma-bufs", GNTDEV_PATH);
	/* What is not a matter of a reference. */
	if (error == EOPNOTSUPP || error == EMFILE)
		fail("domain %u, %u references from %u on: %s", domid, refs->n, refs->ref[0],
		     map_reason(error, domid));
	map_failed(device, domid, refs->ref, refs->n, true, error);
}

static void sync_buffer(int buffer, uint64_t flags)
{
	struct dma_buf_sync sync = { .flags = DMA_BUF_SYNC_READ | flags };

	if (ioctl(buffer, DMA_BUF_IOCTL_SYNC, &sync))
		fail("DMA_BUF_IOCTL_SYNC: %s", strerror(errno));
}

static void show(int buffer, size_t size, bool raw)
{
	void *bytes = mmap(NULL, size, PROT_READ, MAP_SHARED, buffer, 0);

	if (bytes == MAP_FAILED)
		fail("the dma-buf cannot be mapped: %s", strerror(errno));
	sync_buffer(buffer, DMA_BUF_SYNC_START);
	(raw ? raw_dump : hex_dump)(bytes, size);
	sync_buffer(buffer, DMA_BUF_SYNC_END);
	munmap(bytes, size);
}

static void wait_released(xengnttab_handle *device, int buffer, unsigned int ms)
{
	/* ENOENT: so soon that it is forgotten. */
	if (!xengnttab_dmabuf_exp_wait_released(device, buffer, ms) || errno == ENOENT)
		return;
	if (errno == ETIMEDOUT)
		fail("the dma-buf is not released after %u.%03u s", ms / 1000, ms % 1000);
	fail("the release of the dma-buf cannot be waited for: %s", strerror(errno));
}

static int run(int argc, char **argv)
{
	static const struct option options[] = {
		{ "flag", required_argument, NULL, 'f' },
		{ "raw", no_argument, NULL, 'o' },
		{ "quiet", no_argument, NULL, 'q' },
		{ "hold", no_argument, NULL, 'H' },
		{ "timeout", required_argument, NULL, 't' },
		HELP_OPTION
	};
	bool raw = false, quiet = false, hold = false;
	xengnttab_handle *device;
	unsigned int ms = 10000;
	struct refs refs = { 0 };
	unsigned int domid;
	uint32_t flags = 0;
	int letter, buffer;
	off_t size;

	while ((letter = next_option(argc, argv, ":f:oqHt:h", options)) != -1) {
		switch (letter) {
		case 'f':
			if (!strcmp(optarg, "wc"))
				flags = GNTDEV_DMA_FLAG_WC;
			else if (!strcmp(optarg, "coherent"))
				flags = GNTDEV_DMA_FLAG_COHERENT;
			else
				misuse("FLAG is wc or coherent, not '%s'", optarg);
			break;
		case 'o':
			raw = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'H':
			hold = true;
			break;
		case 't':
			ms = seconds("SECONDS", optarg);
			break;
		}
	}
	domid = domain(next_argument(argc, argv, "DOMID"));
	refs_of_rest(&refs, argc, argv);
	if (raw && quiet)
		misuse("--raw and --quiet exclude each other");

	device = device_open();
	if (hold)
		wait_prepare();
	buffer = export(device, domid, &refs, flags);
	size = lseek(buffer, 0, SEEK_END);
	if (size < 0)
		fail("the dma-buf does not tell its size: %s", strerror(errno));
	if (!raw)
		printf("dma-buf of %lld bytes\n", (long long)size);
	if (!quiet)
		show(buffer, size, raw);
	flush_output();
	if (hold)
		wait_for_signal();
	close(buffer);
	wait_released(device, buffer, ms);
	if (!raw)
		puts("released");
	xengnttab_close(device);
	return 0;
}

const struct command dmabuf_command = {
	.name = "dmabuf",
	.summary = "make a dma-buf of shared pages, show it, wait for its release",
	.help =
"usage: gnt dmabuf [OPTION]... DOMID REF...\n\n"
"Makes a dma-buf of the pages of DOMID, which are mapped for writing, tells its\n"
"size and shows what it has, as gnt map does. Then closes it, and waits until it\n"
"is released: until Xen has all pages back.\n\n"
"  -f, --flag FLAG          memory of a kind: wc (write-combining), or coherent\n"
"  -o, --raw                write the bytes to stdout, and nothing else\n"
"  -q, --quiet              do not show the bytes\n"
"  -H, --hold               hold it until Ctrl-C (SIGINT), SIGTERM or SIGHUP\n"
"  -t, --timeout SECONDS    how long the release may take (10)\n"
"      --help\n",
	.run = run,
};
