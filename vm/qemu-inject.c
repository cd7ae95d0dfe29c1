// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into QEMU: an interrupt that VMRUN injects is delivered once.
 *
 * QEMU's helper_vmrun() (svm_helper.c under target/i386/tcg, of 7.2, 10.0, 11.1 and of the
 * development tree when this was written) delivers an injected interrupt itself, but leaves its
 * vector in cs->exception_index. If somebody asks the processor to leave its loop before the next
 * #VMEXIT resets that, cpu_handle_interrupt() does not overwrite it, and the vector is delivered a
 * second time: with interrupts off, on the first instruction of the handler. A Linux guest that was
 * in user mode then believes that it was in the kernel, keeps the user's GS base, and dies of a
 * triple fault or on its entry stack.
 *
 * The delivery is do_interrupt_x86_hardirq(), which QEMU exports. It is made to reset the index,
 * as its other caller does in any case. What is patched and where the index lies is read from the
 * program itself. If that is not what Debian's 7.2, 10.0 or 11.1 has, nothing is changed. vm/run
 * looks for the line that says "patched".
 *
 * The program may be of another release than this machine. So what is used here of the C library
 * is what that had in its first version for x86-64.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Exported by the program that this is loaded into; absent in any other. */
#define FROM_QEMU extern __attribute__((weak))
FROM_QEMU void do_interrupt_all(char *cpu, int vector, int is_int, int error_code,
				uint64_t next_eip, int is_hw);
FROM_QEMU void do_interrupt_x86_hardirq(char *env, int vector, int is_hw);
FROM_QEMU void cpu_loop_exit_noexc(char *cpu);

static uint32_t env_in_cpu, index_in_cpu;

static void deliver_once(char *env, int vector, int is_hw)
{
	char *cpu = env - env_in_cpu;

	do_interrupt_all(cpu, vector, 0, 0, 0, is_hw);
	*(int32_t *)(cpu + index_in_cpu) = -1;
}

/* Steps over an instruction that a compiler puts there or not. */
static const unsigned char *without(const unsigned char *code, const char *bytes, size_t size)
{
	return memcmp(code, bytes, size) ? code : code + size;
}

/* endbr64, from Debian 13 on */
static const unsigned char *body(const void *function)
{
	return without(function, "\xf3\x0f\x1e\xfa", 4);
}

/*
 * mov %edx,%r9d; sub $env_in_cpu,%rdi; xor %r8d,%r8d; xor %ecx,%ecx; xor %edx,%edx;
 * jmp do_interrupt_all
 */
static int known_delivery(const unsigned char *code)
{
	int32_t jump;

	if (memcmp(code, "\x41\x89\xd1\x48\x81\xef", 6) ||
	    memcmp(code + 10, "\x45\x31\xc0\x31\xc9\x31\xd2\xe9", 8))
		return 0;
	memcpy(&env_in_cpu, code + 6, 4);
	memcpy(&jump, code + 18, 4);
	return code + 22 + jump == (unsigned char *)do_interrupt_all;
}

/* push %rax; pop %rax, which are not in 7.2; sub $8,%rsp; movl $-1,index_in_cpu(%rdi) */
static int known_index(const unsigned char *code)
{
	code = without(code, "\x50\x58", 2);
	memcpy(&index_in_cpu, code + 6, 4);
	return !memcmp(code, "\x48\x83\xec\x08\xc7\x87", 6) &&
	       !memcmp(code + 10, "\xff\xff\xff\xff", 4);
}

__attribute__((constructor)) static void patch(void)
{
	unsigned char jump[14] = { 0xff, 0x25 }; /* jmp *0(%rip), and there the address */
	void (*target)(char *, int, int) = deliver_once;
	unsigned char *code;
	char *page;
	size_t size;

	if (!do_interrupt_x86_hardirq || !do_interrupt_all || !cpu_loop_exit_noexc)
		return;
	code = (unsigned char *)body(do_interrupt_x86_hardirq);
	page = (char *)((uintptr_t)code & ~4095ul);
	size = (char *)code + sizeof(jump) > page + 4096 ? 8192 : 4096;
	if (!known_delivery(code) || !known_index(body(cpu_loop_exit_noexc)) ||
	    mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return;
	memcpy(jump + 6, &target, 8);
	memcpy(code, jump, sizeof(jump));
	mprotect(page, size, PROT_READ | PROT_EXEC);
	fprintf(stderr, "qemu-inject: patched\n");
}
