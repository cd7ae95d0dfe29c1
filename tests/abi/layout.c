/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Prints every size, offset, signedness and number of the header that HEADER names: the one
 * under test, or the user's document that it was made from. Compiled as C and as C++, for
 * 64 and for 32 bits; the outputs must be reference.64 and reference.32.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include HEADER

#include "compare.h"

#define SIZE(s) \
	printf("sizeof %s %u\n", #s, (unsigned int)sizeof(struct ioctl_gntdev_##s));
#define OFFSET(s, m) \
	printf("member %s.%s at %u of %u\n", #s, #m, \
	       (unsigned int)offsetof(struct ioctl_gntdev_##s, m), \
	       (unsigned int)sizeof(((struct ioctl_gntdev_##s *)0)->m));
#define NUMBER(c) printf("number %s 0x%08lx\n", #c, (unsigned long)(c));

int main(void)
{
	struct ioctl_gntdev_grant_copy_segment segment;
	struct ioctl_gntdev_grant_ref ref;

	FOR_EACH_STRUCT(SIZE)
	FOR_EACH_MEMBER(OFFSET)
	FOR_EACH_CONSTANT(NUMBER)
	segment.status = -1;
	segment.len = (uint16_t)-1;
	ref.domid = (uint32_t)-1;
	printf("signed grant_copy_segment.status %d\n", segment.status < 0);
	printf("signed grant_copy_segment.len %d\n", segment.len < 1);
	printf("signed grant_ref.domid %d\n", ref.domid < 1);
	return 0;
}
