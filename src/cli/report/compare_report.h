/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdio.h>

#include "analyze/gate/comparison.h"
#include "core/json.h"
#include "text/canvas.h"

/*
 * A comparison as people and machines read it. All say the same: one sentence, the table by impact, who did it, what
 * moved, what could not be decided, and what makes the arms unfit. They read the comparison and change nothing.
 */
struct compare_page {
    int cols; /* of the terminal */
    enum charset charset;
    bool colour;
    size_t top; /* rows of a table at most */
};

void compare_print(FILE *out, const struct comparison *c, const struct compare_page *page);
/* Draws into CANVAS, which it resizes to the rows needed. For compare_print() and the tests. */
void compare_draw(struct canvas *canvas, const struct comparison *c, const struct compare_page *page);

/* For a pull request: GitHub's and GitLab's tables. */
void compare_markdown(FILE *out, const struct comparison *c, size_t top);

/* docs/compare.schema.json. Returns 0 or the sink's negative errno. */
int compare_json(const struct comparison *c, rs_json_sink sink, void *ctx);

/* Workflow commands of GitHub Actions: an error for what fails the gate, warnings for what else regressed, a notice. */
void compare_github(FILE *out, const struct comparison *c);
