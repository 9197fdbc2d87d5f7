/* SPDX-License-Identifier: MIT */
/* tgt_stack_dlopen's plugins. */
#include "cpu_time.h"

void PLUGIN_NAME(void);
void plugin_work(void);

NOINLINE void PLUGIN_NAME(void)
{
    burn_ms(60);
}

void plugin_work(void)
{
    PLUGIN_NAME();
}
