/* SPDX-License-Identifier: MIT */
#pragma once

/* Writes what RUSTSCOPE_OUT asks for. A forked child adds its pid to the name, unless the name has one ("%p"). */
void rs_report_at_exit(void);
