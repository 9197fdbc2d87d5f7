/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What librustscope asks of the system. Nothing here calls malloc or changes errno; all but the file is signal-safe. */

/* Zeroed memory in whole pages, or NULL. POPULATED: take the page faults now, at a quarter of their price. */
void *rs_os_map(size_t bytes, bool populated);
void rs_os_unmap(void *memory, size_t bytes);

uint32_t rs_os_pid(void);
uint32_t rs_os_tid(void);
/* Whether thread TID of this process is alive; true when in doubt. */
bool rs_os_thread_alive(uint32_t tid);
/* Whether the caller runs on the alternate signal stack. */
bool rs_os_on_signal_stack(void);
void rs_os_yield(void);

/* A new file at PATH. Returns a descriptor or a negative errno. */
int rs_os_create(const char *path);
/* What is at PATH is no regular file (a device, a pipe, a terminal): it must be written to, not replaced. */
bool rs_os_is_special(const char *path);
/* All of it; 0 or a negative errno. */
int rs_os_write(int fd, const void *bytes, size_t len);
int rs_os_close(int fd);
int rs_os_rename(const char *from, const char *to);
void rs_os_remove(const char *path);

/* Each into BUF of SIZE bytes, not terminated. The length, or a negative errno: this system does not tell. */
long rs_os_read_file(const char *path, char *buf, size_t size);
long rs_os_executable(char *buf, size_t size);
long rs_os_working_folder(char *buf, size_t size);
/* The program's arguments, each with its NUL behind it, as far as they fit. */
long rs_os_arguments(char *buf, size_t size);
/* What the CPU is called. */
long rs_os_cpu_model(char *buf, size_t size);

uint64_t rs_os_unix_ns(void);

/* Is the CPU's counter one clock for all CPUs, running at one speed? */
bool rs_os_counter_is_a_clock(void);
