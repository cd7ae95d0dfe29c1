// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel of a PV domain that maps pages granted to it, and does no more: its command line has
 * their references, of domain 0, in decimal. It writes MAPPER_BYTE (lib/brief.h) to the last byte
 * of each page that it could map, and then waits to be destroyed.
 *
 * How such a kernel is found and started: the notes are those of Xen's elfnote.h; where it begins
 * %rsi has struct start_info (xen.h), the stack is there, and all of the image is mapped.
 */
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sched.h>

#include "../lib/brief.h"

#define PAGE_BYTES 4096

/* Xen puts the granted pages where these are. */
static uint8_t window[MAPPER_MOST][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

asm(".pushsection .text.entry, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "	cld\n"
    "	mov %rsi, %rdi\n"
    "	and $-16, %rsp\n"
    "	call begin\n"
    "	ud2\n"
    ".popsection\n"
    ".pushsection .text.hypercalls, \"ax\"\n"
    ".balign 4096\n"
    "hypercalls:\n"
    "	.skip 4096, 0x90\n"
    ".popsection\n");

#define NOTE(type, content) \
	asm(".pushsection .note.Xen, \"a\", @note\n" \
	    ".balign 4\n" \
	    ".long 4, 2f - 1f, " #type "\n" \
	    ".asciz \"Xen\"\n" \
	    "1: " content "\n" \
	    "2: .balign 4\n" \
	    ".popsection\n")

NOTE(1, ".quad _start");	/* XEN_ELFNOTE_ENTRY */
NOTE(2, ".quad hypercalls");	/* XEN_ELFNOTE_HYPERCALL_PAGE */
NOTE(3, ".quad 0");		/* XEN_ELFNOTE_VIRT_BASE */
NOTE(4, ".quad 0");		/* XEN_ELFNOTE_PADDR_OFFSET */
NOTE(5, ".asciz \"xen-3.0\"");	/* XEN_ELFNOTE_XEN_VERSION */
NOTE(6, ".asciz \"mapper\"");	/* XEN_ELFNOTE_GUEST_OS */
NOTE(8, ".asciz \"generic\"");	/* XEN_ELFNOTE_LOADER */

extern char hypercalls[];

static long hypercall(unsigned int number, long a, const void *b, long c)
{
	long result;

	asm volatile("call *%[entry]"
		     : "=a" (result), "+D" (a), "+S" (b), "+d" (c)
		     : [entry] "r" (hypercalls + number * 32)
		     : "rcx", "r8", "r9", "r10", "r11", "memory");
	return result;
}

static const char *number(const char *text, uint32_t *value)
{
	while (*text && (*text < '0' || *text > '9'))
		text++;
	if (!*text)
		return 0;
	for (*value = 0; *text >= '0' && *text <= '9'; text++)
		*value = *value * 10 + *text - '0';
	return text;
}

void begin(const struct start_info *info)
{
	const char *text = (const char *)info->cmd_line;
	uint32_t ref;

	for (unsigned int i = 0; i < MAPPER_MOST && (text = number(text, &ref)); i++) {
		struct gnttab_map_grant_ref map = {
			.host_addr = (uintptr_t)window[i],
			.flags = GNTMAP_host_map,
			.ref = ref,
		};

		if (!hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref, &map, 1) &&
		    map.status == GNTST_okay)
			window[i][PAGE_BYTES - 1] = MAPPER_BYTE;
	}
	for (;;)
		hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0);
}
