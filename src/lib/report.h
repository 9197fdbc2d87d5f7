/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/json.h"

/*
 * Who writes the session's key "benchmarks", with its value, or nothing. Set once, before anything is measured: a
 * signal that ends the program writes the session too.
 */
typedef void (*rs_report_benchmarks_fn)(struct rs_json *json);
void rs_report_set_benchmarks(rs_report_benchmarks_fn write);

/* Writes what RUSTSCOPE_OUT asks for. A forked child adds its pid to the name, unless the name has one ("%p"). */
void rs_report_at_exit(void);
/* The same session into FD, which stays open. 0 or a negative errno. */
int rs_report_write_to(int fd);
