/* SPDX-License-Identifier: MIT */
#pragma once

/* From now on a signal that would end the program by default writes the report first (rs_report_at_exit()). */
void rs_signals_expect(void);
