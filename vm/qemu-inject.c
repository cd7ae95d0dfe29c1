// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into QEMU: an interrupt that VMRUN injects is delivered once, and a move from or to a
 * control register ends a guest's turn only if Xen wants it to.
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
 * as its other caller does in any case.
 *
 * Since the table in decode-new.c.inc has them (10.0 and 11.1, not 7.2), a move from or to any
 * control or debug register is taken for one of number 0 when its intercept is looked up. So Xen,
 * which wants to see CR0 and not CR2, emulates a read of CR2, and gives what it last knew of it. A
 * Linux guest halts at its first page fault. helper_svm_check_intercept() is made to read the
 * register's number out of the instruction.
 *
 * What is patched and where things lie is read from the program itself. If that is not what
 * Debian's 7.2, 10.0 or 11.1 has, nothing is changed. vm/run looks for the line that says
 * "patched".
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
/* What 7.2 has not, which reads all control registers by helper_read_crN(). */
FROM_QEMU uint64_t helper_read_cr8(char *env);
FROM_QEMU int8_t cpu_unwind_state_data(char *cpu, uintptr_t host_pc, uint64_t *data);
FROM_QEMU uint64_t get_page_addr_code_hostp(char *env, uint64_t address, void **host);
FROM_QEMU void helper_svm_check_intercept(char *env, uint32_t type);
FROM_QEMU void cpu_svm_check_intercept_param(char *env, uint32_t type, uint64_t param,
					     uintptr_t host_pc);
FROM_QEMU void do_vmexit(char *env);

static uint32_t env_in_cpu, index_in_cpu, eip_in_env;

static void deliver_once(char *env, int vector, int is_hw)
{
	char *cpu = env - env_in_cpu;

	do_interrupt_all(cpu, vector, 0, 0, 0, is_hw);
	*(int32_t *)(cpu + index_in_cpu) = -1;
}

/* The guest's code, a byte of it; -1 if that is not memory. */
static int code_at(char *env, uint64_t address)
{
	void *host = NULL;

	get_page_addr_code_hostp(env, address, &host);
	return host ? *(unsigned char *)host : -1;
}

/* The number of the register in a move whose intercept is of this type for register 0; or 0. */
static uint32_t number(char *env, uint32_t type, uintptr_t host_pc)
{
	uint64_t state[8], at;
	uint32_t high = 0;
	int byte;

	if (!cpu_unwind_state_data(env - env_in_cpu, host_pc, state))
		return 0;
	/* As QEMU's x86_restore_state_to_opc(): it may be the address within a page. */
	at = state[0];
	if (at < 4096)
		at |= *(uint64_t *)(env + eip_in_env) & ~4095ull;
	for (;;) {
		byte = code_at(env, at++);
		if (byte >= 0x40 && byte < 0x50)
			high = (byte & 4) << 1; /* REX.R */
		else if (byte != 0x66 && byte != 0x67 && byte != 0xf2 && byte != 0xf3)
			break;
	}
	if (byte != 0x0f)
		return 0;
	byte = code_at(env, at++);
	/* 0f 20 reads a control register, 21 a debug register, 22 and 23 write them. */
	if (byte < 0x20 || byte > 0x23 || type != (uint32_t)((byte & 1) << 5 | (byte & 2) << 3))
		return 0;
	byte = code_at(env, at);
	return byte < 0 ? 0 : high | (byte >> 3 & 7);
}

static void check_intercept(char *env, uint32_t type)
{
	uintptr_t host_pc = (uintptr_t)__builtin_return_address(0);

	/* Those of registers 0: SVM_EXIT_READ_CR0, WRITE_CR0, READ_DR0, WRITE_DR0. */
	if (!(type & ~0x30u))
		type += number(env, type, host_pc);
	cpu_svm_check_intercept_param(env, type, 0, host_pc);
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

/* The target of the jmp or call whose offset lies here. */
static const unsigned char *target_of(const unsigned char *offset)
{
	int32_t value;

	memcpy(&value, offset, 4);
	return offset + 4 + value;
}

/*
 * mov %edx,%r9d; sub $env_in_cpu,%rdi; xor %r8d,%r8d; xor %ecx,%ecx; xor %edx,%edx;
 * jmp do_interrupt_all
 */
static int known_delivery(const unsigned char *code)
{
	memcpy(&env_in_cpu, code + 6, 4);
	return !memcmp(code, "\x41\x89\xd1\x48\x81\xef", 6) &&
	       !memcmp(code + 10, "\x45\x31\xc0\x31\xc9\x31\xd2\xe9", 8) &&
	       target_of(code + 18) == (unsigned char *)do_interrupt_all;
}

/* push %rax; pop %rax, which are not in 7.2; sub $8,%rsp; movl $-1,index_in_cpu(%rdi) */
static int known_index(const unsigned char *code)
{
	code = without(code, "\x50\x58", 2);
	memcpy(&index_in_cpu, code + 6, 4);
	return !memcmp(code, "\x48\x83\xec\x08\xc7\x87", 6) &&
	       !memcmp(code + 10, "\xff\xff\xff\xff", 4);
}

/* mov (%rsp),%rcx; xor %edx,%edx; jmp cpu_svm_check_intercept_param */
static int known_check(const unsigned char *code)
{
	return !memcmp(code, "\x48\x8b\x0c\x24\x31\xd2\xe9", 7) &&
	       target_of(code + 7) == (unsigned char *)cpu_svm_check_intercept_param;
}

/* do_vmexit() keeps it: mov eip_in_env(%rbx),%rdx; mov %rbp,%rdi; lea 0x578(%rax),%rsi */
static int known_eip(const unsigned char *code)
{
	const unsigned char *end = code + 1024;

	for (; code < end; code++) {
		if (memcmp(code, "\x48\x8b\x93", 3) ||
		    memcmp(code + 7, "\x48\x89\xef\x48\x8d\xb0\x78\x05\x00\x00", 10))
			continue;
		memcpy(&eip_in_env, code + 3, 4);
		return 1;
	}
	return 0;
}

/* Has a function of at least 14 bytes go on at another. */
static int redirect(void *function, void *other)
{
	unsigned char jump[14] = { 0xff, 0x25 }; /* jmp *0(%rip), and there the address */
	char *code = function, *page = (char *)((uintptr_t)code & ~4095ul);
	size_t size = code + sizeof(jump) > page + 4096 ? 8192 : 4096;

	if (mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC))
		return 0;
	memcpy(jump + 6, &other, 8);
	memcpy(code, jump, sizeof(jump));
	mprotect(page, size, PROT_READ | PROT_EXEC);
	return 1;
}

__attribute__((constructor)) static void patch(void)
{
	if (!do_interrupt_x86_hardirq || !do_interrupt_all || !cpu_loop_exit_noexc ||
	    !known_delivery(body(do_interrupt_x86_hardirq)) ||
	    !known_index(body(cpu_loop_exit_noexc)))
		return;
	if (helper_read_cr8) {
		/* It is long enough with its endbr64. */
		if (!cpu_unwind_state_data || !get_page_addr_code_hostp ||
		    !helper_svm_check_intercept || !cpu_svm_check_intercept_param || !do_vmexit ||
		    body(helper_svm_check_intercept) == (unsigned char *)helper_svm_check_intercept ||
		    !known_check(body(helper_svm_check_intercept)) || !known_eip(body(do_vmexit)) ||
		    !redirect(helper_svm_check_intercept, check_intercept))
			return;
	}
	if (redirect(do_interrupt_x86_hardirq, deliver_once))
		fprintf(stderr, "qemu-inject: patched\n");
}
