/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptors from one process to another, over a unix socket. */
#ifndef TESTS_LIB_PASS_H
#define TESTS_LIB_PASS_H

/* 0, or -1 and errno. */
int pass_fd(int socket, int fd);
/* A new descriptor, close-on-exec, or -1. */
int receive_fd(int socket);

#endif
