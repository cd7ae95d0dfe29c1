/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest kernel that Xen boots as a PVH guest: says hello on Xen's console, and powers off.
 *
 * An ELF note names the 32-bit entry, where paging is off and memory is flat. What is written to port 0xe9 is on
 * Xen's console, a line at a time. VMMCALL is how a guest calls Xen on AMD's processors, as QEMU's are here.
 */
#define HYPERVISOR_SCHED_OP	29
#define SCHEDOP_SHUTDOWN	2
#define SHUTDOWN_POWEROFF	0
#define XEN_ELFNOTE_PHYS32_ENTRY	18

	.code32
	.text
	.globl _start
_start:
	movl	$text, %esi
	movl	$(end_of_text - text), %ecx
	movw	$0xe9, %dx
	cld
	rep outsb
	movl	$HYPERVISOR_SCHED_OP, %eax
	movl	$SCHEDOP_SHUTDOWN, %ebx
	movl	$reason, %ecx
	.byte	0x0f, 0x01, 0xd9 /* vmmcall */
1:	hlt
	jmp	1b

	.data
reason:	.long	SHUTDOWN_POWEROFF
text:	.ascii	"hello from an image that is no Linux\n"
end_of_text:

	.section .note.Xen, "a", @note
	.long	4, 4, XEN_ELFNOTE_PHYS32_ENTRY
	.asciz	"Xen"
	.long	_start
