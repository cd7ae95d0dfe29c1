// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel of a domain that maps pages granted to it, and does no more: its command line has,
 * behind "refs:", their references, of domain 0, in decimal. It writes MAPPER_BYTE (lib/brief.h) to
 * the last byte of each page that it could map, and then waits to be destroyed.
 *
 * How such a kernel is found and started, as PV on x86: the notes are those of Xen's elfnote.h;
 * where it begins %rsi has struct start_info (xen.h), the stack is there, and all of the image is
 * mapped. On Arm: the header is that of Linux's Documentation/arm64/booting.rst; x0 has the device
 * tree, and there are no page tables.
 */
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>
#include <xen/sched.h>

#include "../lib/brief.h"

#define PAGE_BYTES 4096

/* Xen puts the granted pages where these are. */
static uint8_t window[MAPPER_MOST][PAGE_BYTES] __attribute__((aligned(PAGE_BYTES)));

#ifdef __aarch64__
/* The linker puts that section first. */
asm(".pushsection .text.startup, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "	b 1f\n"
    "	.long 0\n"
    "	.quad 0\n"		/* where in 2 MiB it wants to be */
    "	.quad _end - _start\n"
    "	.quad 2, 0, 0, 0\n"	/* little-endian, 4 KiB */
    "	.ascii \"ARM\\x64\"\n"
    "	.long 0\n"
    "1:	adrp x1, stack_end\n"
    "	add x1, x1, :lo12:stack_end\n"
    "	mov sp, x1\n"
    "	b begin\n"
    ".popsection\n"
    ".pushsection .bss\n"
    ".balign 16\n"
    "	.skip 4096\n"
    "stack_end:\n"
    ".popsection\n");

static long hypercall(unsigned int number, long a, const void *b, long c)
{
	register long x0 asm("x0") = a;
	register const void *x1 asm("x1") = b;
	register long x2 asm("x2") = c;
	register long x16 asm("x16") = number;

	asm volatile("hvc #0xea1" : "+r" (x0), "+r" (x1), "+r" (x2), "+r" (x16) : : "memory");
	return x0;
}
#else
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

#endif

/* Past the mark, if the text has it there. */
static const char *past_mark(const char *text)
{
	return text[0] == 'r' && text[1] == 'e' && text[2] == 'f' && text[3] == 's' &&
	       text[4] == ':' ? text + 5 : 0;
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

#ifdef __aarch64__
/* Where in a device tree it stands is not asked: its size is the second word. */
static const char *references(const uint8_t *tree)
{
	uint32_t size = tree[4] << 24 | tree[5] << 16 | tree[6] << 8 | tree[7];
	const char *found = 0;

	for (uint32_t i = 0; i + 5 < size && !found; i++)
		found = past_mark((const char *)tree + i);
	return found ? found : "";
}
#else
static const char *references(const struct start_info *info)
{
	const char *text = (const char *)info->cmd_line, *found = 0;

	for (; *text && !found; text++)
		found = past_mark(text);
	return found ? found : "";
}
#endif

void begin(const void *told)
{
	const char *text = references(told);
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
