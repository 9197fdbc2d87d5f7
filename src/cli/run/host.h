/* SPDX-License-Identifier: MIT */
#pragma once

#include "session/session.h"

/* Fills what a session says about the machine it was recorded on: system, kernel, CPU. */
void host_describe(struct session *session);
