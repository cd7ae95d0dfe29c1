/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * As much of xenstore as the tests need to meet, spoken directly: libxenstore
 * starts a thread for its watches, which a test that forks can do without.
 */
#ifndef TESTS_LIB_STORE_H
#define TESTS_LIB_STORE_H

#include <stdbool.h>

/* 0, or -1 and errno. */
int store_open(void);
/* What is at @path, to be freed by the caller; NULL and errno. */
char *store_read(const char *path);
int store_write(const char *path, const char *value);
int store_remove(const char *path);
int store_watch(const char *path);
/* Waits for any watch to fire; false after @ms. */
bool store_wait(int ms);
/* For poll(2): readable when store_wait() would not wait. Call that first, with 0. */
int store_fd(void);

/*
 * A text of any length under @path, in pieces that the store takes; begins with @tag, so that
 * the reader knows it as an answer to the question of that tag.
 */
int store_send(const char *path, const char *tag, const char *text);
/* The text, to be freed, if @path has one and its tag differs from @old (which it replaces). */
char *store_receive(const char *path, char *tag, const char *wanted);

#define STORE_TAG 32

#endif
