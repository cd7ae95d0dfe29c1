/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What vm-exec (in dom0) and vm-agent (in a guest) say to each other.
 *
 * vm-exec writes /local/domain/GUEST/vm/run/ID. The agent then offers a vchan at
 * /local/domain/GUEST/data/vm/ID, and packets go over it: a head, then its bytes.
 */
#ifndef VM_WIRE_H
#define VM_WIRE_H

#include <stdint.h>

enum packet_type {
	PACKET_COMMAND,		/* to the agent: the arguments, each with its 0 byte */
	PACKET_TERMINAL,	/* the same, to be run on a terminal of its own */
	PACKET_INPUT,		/* to the agent, for the terminal or as the command's input; none: it ended */
	PACKET_OUTPUT,		/* from the agent: what the command wrote */
	PACKET_COMMAND_INPUT,	/* as PACKET_COMMAND, and input comes for it */
	PACKET_EXIT,		/* from the agent: its status, as a shell gives it, one byte */
};

struct packet {
	uint32_t type;
	uint32_t length;	/* of what follows, in bytes */
};

#define PACKET_MAX 65536

/* Input comes in packets that fit into the ring to the agent, which has this many bytes, with their head. */
#define INPUT_RING 1024

#endif
