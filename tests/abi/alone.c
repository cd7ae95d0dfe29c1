/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The header needs nothing before it, and may be included twice. */
#include HEADER
#include HEADER

int main(void)
{
	return sizeof(struct ioctl_gntdev_map_grant_ref) == 24 &&
	       IOCTL_GNTDEV_MAP_GRANT_REF == 0x184700 ? 0 : 1;
}
