/* SPDX-License-Identifier: MIT */

/* tgt_alloc_peak MS: 300,000,000 and 10 x 1,000 bytes are held together for MS milliseconds; the large block goes first. */
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    char *volatile small[10], *volatile large;

    for (int i = 0; i < 10; i++)
        small[i] = malloc(1000);
    large = malloc(300000000);
    usleep(1000 * (useconds_t)(argc > 1 ? atoi(argv[1]) : 12));
    free(large);
    for (int i = 0; i < 10; i++)
        free(small[i]);
    usleep(50000);
    return 0;
}
