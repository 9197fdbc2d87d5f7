/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Every command is `int cmd_<name>(int argc, char **argv)`: argv[0] is the command's name, the return value is the exit
 * status of rustscope. Commands own the words: only they (and main) print or exit.
 */
int cmd_record(int argc, char **argv);
int cmd_view(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_listen(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_export(int argc, char **argv);
