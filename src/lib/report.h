/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes what RUSTSCOPE_OUT asks for. A forked child adds its pid to the name, unless the name has one ("%p"). */
void rs_report_at_exit(void);
/* The same session into FD, which stays open. 0 or a negative errno. */
int rs_report_write_to(int fd);
