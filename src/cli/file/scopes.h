/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/json.h"
#include "session/session.h"

/* The members scopes, outliers, budget_violations and async_tasks of the session object, where there are any scopes. */
void json_write_scopes(struct rs_json *j, const struct session *s);
