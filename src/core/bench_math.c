/* SPDX-License-Identifier: MIT */
#include "core/bench_math.h"

#include <math.h> /* for HUGE_VAL alone */
#include <string.h>

static const double LN2 = 0.693147180559945309417;

double rs_log(double x)
{
    uint64_t bits;
    double m, t, square, sum = 0, power;
    int exponent;

    if (!(x > 0))
        return -HUGE_VAL;
    memcpy(&bits, &x, sizeof(bits));
    exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    bits = (bits & 0x000fffffffffffffu) | UINT64_C(1023) << 52;
    memcpy(&m, &bits, sizeof(m));
    if (m > 1.41421356237309505) { /* around 1, so that the series is short and log(1) is 0 */
        m /= 2;
        exponent++;
    }
    /* log m = 2 artanh((m - 1) / (m + 1)); |t| < 0.172, so 11 terms are enough. */
    t = (m - 1) / (m + 1);
    square = t * t;
    power = t;
    for (int k = 1; k < 24; k += 2, power *= square)
        sum += power / k;
    return 2 * sum + exponent * LN2;
}

double rs_exp(double x)
{
    double r, term = 1, sum = 1;
    int64_t k;
    uint64_t bits;

    if (x < -708)
        return 0;
    if (x > 709)
        return HUGE_VAL;
    k = (int64_t)(x / LN2 + (x < 0 ? -0.5 : 0.5));
    r = x - (double)k * LN2;
    for (int i = 1; i < 18; i++) {
        term *= r / i;
        sum += term;
    }
    bits = (uint64_t)(k + 1023) << 52;
    if (k + 1023 <= 0)
        return 0;
    memcpy(&r, &bits, sizeof(r));
    return sum * r;
}

/* Marsaglia, Evaluating the Normal Distribution (2004): a Taylor series that is accurate everywhere it is needed. */
double rs_normal_cdf(double x)
{
    double sum = x, last = 0, term = x;

    if (!(x > -8))
        return 0;
    if (x > 8)
        return 1;
    for (int i = 3; sum != last; i += 2) {
        last = sum;
        term *= x * x / i;
        sum += term;
    }
    return 0.5 + sum * rs_exp(-0.5 * x * x - 0.91893853320467274178);
}

double rs_normal_quantile(double p)
{
    double low = -8, high = 8;

    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;

        if (rs_normal_cdf(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}

double rs_student_975(double degrees)
{
    static const double small[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                   2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086};
    const int count = sizeof(small) / sizeof(*small);
    const double z = 1.959963984540054;
    int whole = degrees < 1 ? 1 : degrees < 1e6 ? (int)degrees : 1000000;

    if (whole < count) {
        double part = degrees < 1 ? 0 : degrees - whole;

        return small[whole - 1] + part * (small[whole] - small[whole - 1]);
    }
    /* Cornish-Fisher up to 1/n^2 (Abramowitz and Stegun 26.7.5): right to 0.0002 from 20 degrees on. */
    return z + (z * z * z + z) / (4 * degrees) + (5 * z * z * z * z * z + 16 * z * z * z + 3 * z) / (96 * degrees * degrees);
}

double rs_student_two_sided(double t, double degrees)
{
    double z = (8 * degrees + 1) / (8 * degrees + 3) * rs_root(degrees * rs_log(1 + t * t / degrees));

    return z < 8 ? 2 * (1 - rs_normal_cdf(z)) : 0;
}

double rs_root(double x)
{
    return x > 0 ? __builtin_sqrt(x) : 0;
}

double rs_quantile(const double *sorted, size_t count, double p)
{
    double at = p * (double)(count - 1);
    size_t below = (size_t)at;

    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

uint64_t rs_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint32_t rs_random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)((rs_random(state) >> 32) * n >> 32);
}

static void sift_down(double *v, size_t at, size_t count)
{
    double moved = v[at];

    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && v[child] < v[child + 1])
            child++;
        if (v[child] <= moved)
            break;
        v[at] = v[child];
    }
    v[at] = moved;
}

void rs_sort_doubles(double *values, size_t count)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(values, i, count);
    for (size_t last = count; last-- > 1;) {
        double largest = values[0];

        values[0] = values[last];
        values[last] = largest;
        sift_down(values, 0, last);
    }
}
