/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/json.h"

/*
 * A JSON file: written under a temporary name, renamed when it is whole; a device, a pipe or a terminal is written to as it
 * is. On the stack of the caller.
 */
struct rs_file {
    struct rs_json json;
    int fd;
    char path[1024];
    char temporary[1040]; /* "": none */
    char buf[8192];
};

/* "%p" in PATH becomes the process id. 0 or a negative errno. */
int rs_file_open(struct rs_file *f, const char *path);
/* The same into FD, which stays open; there is nothing to rename. */
void rs_file_use(struct rs_file *f, int fd);
/* For newline-delimited JSON: ends this document and begins the next. */
void rs_file_next_document(struct rs_file *f);
/* 0 or the first error; on an error there is no file. */
int rs_file_close(struct rs_file *f);
/* Leaves nothing behind. */
void rs_file_drop(struct rs_file *f);
