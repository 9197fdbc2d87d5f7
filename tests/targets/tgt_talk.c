/* SPDX-License-Identifier: MIT */
/*
 * Says what it is told to. `talk lines N [PERIOD_MS]`: N lines on stdout and N on stderr, in turn. `talk bytes`: every
 * byte value on stdout, then on stderr, without a newline at the end. `talk count N`: N numbered lines as fast as it goes.
 * `talk spike`: 5 s of life with 20 MB more after one second. `talk size`: rows and columns as each of 0, 1, 2 knows them,
 * again at each SIGWINCH, until its stdin ends.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static void say_size(int signo)
{
    char line[128];
    struct winsize size[3];

    (void)signo;
    for (int fd = 0; fd < 3; fd++)
        if (ioctl(fd, TIOCGWINSZ, &size[fd]) < 0)
            memset(&size[fd], 0, sizeof(size[fd]));
    int len = snprintf(line, sizeof(line), "size %dx%d %dx%d %dx%d\n", size[0].ws_row, size[0].ws_col, size[1].ws_row,
                       size[1].ws_col, size[2].ws_row, size[2].ws_col);
    if (write(1, line, (size_t)len) < 0)
        _exit(3);
}

static void say_bytes(void)
{
    unsigned char all[256];

    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    if (write(1, all, sizeof(all)) < 0 || write(2, all, sizeof(all)) < 0 || write(1, "\r\n\n\r", 4) < 0)
        exit(3);
}

static void spike(void)
{
    char *block;

    sleep(1);
    block = malloc(20000000);
    memset(block, 1, 20000000);
    sleep(4);
    printf("%d\n", block[4711]);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[2]) : 0;
    char buf[256];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(what, "lines"))
        for (int i = 0; i < n; i++) {
            printf("out %d\n", i);
            fprintf(stderr, "err %d\n", i);
            usleep(argc > 3 ? (useconds_t)atoi(argv[3]) * 1000 : 0);
        }
    else if (!strcmp(what, "count"))
        for (int i = 0; i < n; i++)
            printf("number %d\n", i);
    else if (!strcmp(what, "bytes"))
        say_bytes();
    else if (!strcmp(what, "spike"))
        spike();
    else if (!strcmp(what, "size")) {
        struct sigaction action = {.sa_handler = say_size, .sa_flags = SA_RESTART};

        sigaction(SIGWINCH, &action, NULL);
        say_size(0);
        while (fgets(buf, sizeof(buf), stdin))
            printf("got %s", buf);
    }
    return 0;
}
