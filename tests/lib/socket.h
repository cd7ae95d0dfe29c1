/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TCP connection of this machine with itself. */
#ifndef TESTS_LIB_SOCKET_H
#define TESTS_LIB_SOCKET_H

#include <stdbool.h>

/* Its two ends; false, and errno, if there is no TCP here. What was received is freed at once. */
bool socket_connection(int ends[2]);

#endif
