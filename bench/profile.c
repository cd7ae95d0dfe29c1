// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A plugin of QEMU that counts which instructions are executed while the benchmark measures.
 *
 *	-plugin profile.so,out=FILE
 *
 * The measured program marks where a case begins, ends, and is told of, by instructions that do
 * nothing (bench.c). At the last of these a record is written: a line "record N", then for each
 * block of code that was executed "ADDRESS INSTRUCTIONS COUNT", the first in hexadecimal.
 *
 * The interface is that of QEMU's docs/devel/tcg-plugins.rst: version 1, which QEMU 7.2 has, or 4, for
 * 10.0 and later. Debian has no header for it, so what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
	void (*call)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
/* Version 1 returns where the bytes are; since 3 they are copied, and the answer is how many. */
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn, void *bytes, size_t size);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
/* Until 1. */
__attribute__((weak)) void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
	enum qemu_plugin_op op, void *counter, uint64_t add);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
	void (*call)(unsigned int cpu, void *context), enum qemu_plugin_cb_flags flags,
	void *context);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*call)(unsigned int cpu, void *context), enum qemu_plugin_cb_flags flags,
	void *context);

/* QEMU looks at it when this library is loaded. */
__attribute__((visibility("default"))) int qemu_plugin_version = 1;

__attribute__((constructor)) static void choose_version(void)
{
	if (!qemu_plugin_register_vcpu_tb_exec_inline)
		qemu_plugin_version = 4;
}

/* A run of instructions that is executed as a whole. */
struct block {
	struct block *next;
	uint64_t address;
	uint64_t length;	/* in instructions */
	uint64_t count;		/* executed ever */
	uint64_t before;	/* ... until the case began */
	uint64_t within;	/* ... in the case */
};

#define BUCKETS 65536

static struct block *buckets[BUCKETS];
static FILE *out;
static bool running;
static unsigned int records;

#define for_each_block(block) \
	for (unsigned int bucket = 0; bucket < BUCKETS; bucket++) \
		for (block = buckets[bucket]; block; block = block->next)

static struct block *find(uint64_t address, uint64_t length)
{
	struct block **bucket = &buckets[(address ^ address >> 16) % BUCKETS], *block;

	for (block = *bucket; block; block = block->next)
		if (block->address == address && block->length == length)
			return block;
	block = calloc(1, sizeof(*block));
	if (!block)
		abort();
	block->address = address;
	block->length = length;
	block->next = *bucket;
	*bucket = block;
	return block;
}

static void begin(void)
{
	struct block *block;

	for_each_block(block)
		block->before = block->count;
	running = true;
}

static void end(void)
{
	struct block *block;

	if (!running)
		return;
	for_each_block(block)
		block->within += block->count - block->before;
	running = false;
}

static void tell(void)
{
	struct block *block;

	fprintf(out, "record %u\n", ++records);
	for_each_block(block) {
		if (block->within)
			fprintf(out, "%016" PRIx64 " %" PRIu64 " %" PRIu64 "\n", block->address,
				block->length, block->within);
		block->within = 0;
	}
	fflush(out);
}

static void (*const marks[])(void) = { begin, end, tell };

static void reach_mark(unsigned int cpu, void *context)
{
	(void)cpu;
	marks[(uintptr_t)context]();
}

static void count(unsigned int cpu, void *block)
{
	(void)cpu;
	((struct block *)block)->count++;
}

/* On x86 nopl 0x474e54NN(%rax), on arm64 movz xzr, #0x47NN; NN from 01 on. */
static bool is_mark(const struct qemu_plugin_insn *insn, uintptr_t *which)
{
	static const unsigned char start[] = { 0x0f, 0x1f, 0x80 }, last[] = { 0x54, 0x4e, 0x47 };
	unsigned char copy[16];
	const unsigned char *bytes = qemu_plugin_insn_data(insn, copy, sizeof(copy));

	if (qemu_plugin_version > 1)
		bytes = copy;
	if (qemu_plugin_insn_size(insn) == 4) {
		uint32_t word;

		memcpy(&word, bytes, sizeof(word));
		*which = (word >> 5 & 0xff) - 1U;
		return (word & 0xffffe01f) == 0xd288e01f && *which < sizeof(marks) / sizeof(marks[0]);
	}
	if (qemu_plugin_insn_size(insn) != 7 || memcmp(bytes, start, 3) ||
	    memcmp(bytes + 4, last, 3))
		return false;
	*which = bytes[3] - 1U;
	return *which < sizeof(marks) / sizeof(marks[0]);
}

static void translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t length = qemu_plugin_tb_n_insns(tb);
	struct block *block = find(qemu_plugin_tb_vaddr(tb), length);
	uintptr_t which;

	(void)id;
	if (qemu_plugin_version == 1)
		qemu_plugin_register_vcpu_tb_exec_inline(tb, QEMU_PLUGIN_INLINE_ADD_U64, &block->count, 1);
	else
		qemu_plugin_register_vcpu_tb_exec_cb(tb, count, QEMU_PLUGIN_CB_NO_REGS, block);
	for (size_t i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		if (is_mark(insn, &which))
			qemu_plugin_register_vcpu_insn_exec_cb(insn, reach_mark,
							       QEMU_PLUGIN_CB_NO_REGS,
							       (void *)which);
	}
}

__attribute__((visibility("default")))
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out) {
		fprintf(stderr, "profile: cannot write out=FILE\n");
		return 1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
