/* What the functions for CPUs share: rows, small products of matrices, exponentials. fp32 throughout. */
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t size;
typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));

enum { LANES = 16, TILE = 8, MAX_DIM = 256 };

/* e^x for x <= 88, within 2 units in the last place (Cephes); a loop around it becomes vector instructions. */
static inline float exp_down(float x) {
    x = x < -87.0f ? -87.0f : x;
    float n = rintf(x * 1.44269504f);
    x = x - n * 0.693359375f + n * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * (x * x) + (x + 1.0f);
    union { int32_t bits; float value; } power = {.bits = ((int32_t)n + 127) << 23};
    return y * power.value;
}

static inline float exp_(float x) { return exp_down(x > 88.0f ? 88.0f : x); }

static inline float sigmoid(float x) { return 1.0f / (1.0f + exp_(-x)); }
static inline float silu(float x) { return x / (1.0f + exp_(-x)); }

static inline float dot(const float *x, const float *y, size n) {
    float sum = 0;
    #pragma omp simd reduction(+ : sum)
    for (size i = 0; i < n; i++) sum += x[i] * y[i];
    return sum;
}

/* Four neighbouring rows of w at once: four streams from memory instead of one. */
static inline void dot4(const float *x, const float *w, size n, float *y) {
    float a = 0, b = 0, c = 0, d = 0;
    #pragma omp simd reduction(+ : a, b, c, d)
    for (size i = 0; i < n; i++) {
        a += x[i] * w[i];
        b += x[i] * w[i + n];
        c += x[i] * w[i + 2 * n];
        d += x[i] * w[i + 3 * n];
    }
    y[0] = a, y[1] = b, y[2] = c, y[3] = d;
}

/* 1 / sqrt(sum of squares / n + eps), summed in fp64: what it divides is the small difference of large terms now and
 * then, and torch rounds once. */
static inline float inverse_norm(const float *x, size n, double count, double eps) {
    double sum = 0;
    #pragma omp simd reduction(+ : sum)
    for (size i = 0; i < n; i++) sum += (double)x[i] * x[i];
    return (float)(1.0 / sqrt(sum / count + eps));
}

static inline void scale_row(float *x, size n, float factor) {
    #pragma omp simd
    for (size i = 0; i < n; i++) x[i] *= factor;
}

/* c = [c +] alpha a b with c [m, n], a(i, l) = a[i * ra + l * ca], b [l, n]; rows of c and b lie ldc, ldb apart. */
static inline __attribute__((always_inline)) void tile(float *c, size ldc, const float *a, size ra, size ca,
                                                       const float *b, size ldb, size k, float alpha, int add,
                                                       const int rows, const int vecs) {
    vec sum[TILE][2];
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vecs; j++) sum[i][j] = (vec){0};
    for (size l = 0; l < k; l++) {
        vec right[2];
        for (int j = 0; j < vecs; j++) right[j] = *(const vec *)(b + l * ldb + j * LANES);
        #pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < vecs; j++) sum[i][j] += a[i * ra + l * ca] * right[j];
    }
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < vecs; j++) {
            vec *out = (vec *)(c + i * ldc + j * LANES);
            *out = add ? *out + alpha * sum[i][j] : alpha * sum[i][j];
        }
}

/* m is a multiple of TILE. */
static inline void matmul(float *c, size ldc, const float *a, size ra, size ca, const float *b, size ldb, size m, size n,
                   size k, float alpha, int add) {
    for (size i = 0; i < m; i += TILE) {
        size j = 0;
        float *row = c + i * ldc;
        const float *left = a + i * ra;
        for (; j + 2 * LANES <= n; j += 2 * LANES)
            tile(row + j, ldc, left, ra, ca, b + j, ldb, k, alpha, add, TILE, 2);
        for (; j + LANES <= n; j += LANES)
            tile(row + j, ldc, left, ra, ca, b + j, ldb, k, alpha, add, TILE, 1);
        for (; j < n; j++)
            for (size t = 0; t < TILE; t++) {
                float sum = 0;
                for (size l = 0; l < k; l++) sum += left[t * ra + l * ca] * b[l * ldb + j];
                row[t * ldc + j] = add ? row[t * ldc + j] + alpha * sum : alpha * sum;
            }
    }
}
