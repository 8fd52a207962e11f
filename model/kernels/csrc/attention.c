/* Attention of the last T of S positions, with an online softmax (Dao et al., "FlashAttention", 2022).
 *
 * Scores lie as [keys, queries]: a vector holds one key's scores for many queries, so that maxima and sums need no
 * step across lanes, and neither keys nor values are ever turned.
 * Shapes: B batch, H query heads, G key heads, D head dim. */
#include "common.h"

enum { QUERIES = 64, KEYS = 128 };

typedef struct {
    size batch, head, token;
} Strides;

typedef struct {
    const float *q, *k, *v;
    float *out;
    Strides at_q, at_k, at_v;
    size T, S, H, G, D;
    int causal;
} Heads;

/* Queries [first, first + n) of one head. */
static void attend_block(const Heads *a, size b, size h, size first, size n) {
    size D = a->D, before = a->S - a->T, end = a->causal ? before + first + n : a->S, g = h / (a->H / a->G);
    float q[MAX_DIM * QUERIES], sums[MAX_DIM * QUERIES], scores[KEYS * QUERIES], most[QUERIES], total[QUERIES];
    const float *query = a->q + b * a->at_q.batch + h * a->at_q.head;
    float scale = 1.0f / sqrtf(D);
    for (size d = 0; d < D; d++)
        for (size t = 0; t < QUERIES; t++)
            q[d * QUERIES + t] = t < n ? scale * query[(first + t) * a->at_q.token + d] : 0.0f;
    memset(sums, 0, D * QUERIES * sizeof(float)), memset(total, 0, sizeof total);
    for (size t = 0; t < QUERIES; t++) most[t] = -INFINITY;
    for (size start = 0; start < end; start += KEYS) {
        size count = end - start < KEYS ? end - start : KEYS, whole = (count + TILE - 1) / TILE * TILE;
        const float *keys = a->k + b * a->at_k.batch + g * a->at_k.head + start * a->at_k.token;
        const float *values = a->v + b * a->at_v.batch + g * a->at_v.head + start * a->at_v.token;
        float spare[TILE * MAX_DIM];
        size full = count / TILE * TILE;
        matmul(scores, QUERIES, keys, a->at_k.token, 1, q, QUERIES, full, QUERIES, D, 1.0f, 0);
        if (full < whole) {  /* nothing may be read behind the last key */
            memset(spare, 0, TILE * D * sizeof(float));
            for (size key = full; key < count; key++)
                memcpy(spare + (key - full) * D, keys + key * a->at_k.token, D * sizeof(float));
            matmul(scores + full * QUERIES, QUERIES, spare, D, 1, q, QUERIES, TILE, QUERIES, D, 1.0f, 0);
        }
        if (a->causal && start + count > before + first)
            for (size key = 0; key < count; key++)
                for (size t = 0; t < QUERIES && before + first + t < start + key; t++)
                    scores[key * QUERIES + t] = -INFINITY;
        float top[QUERIES], factor[QUERIES];
        memcpy(top, most, sizeof top);
        for (size key = 0; key < count; key++) {
            #pragma omp simd
            for (size t = 0; t < QUERIES; t++)
                top[t] = scores[key * QUERIES + t] > top[t] ? scores[key * QUERIES + t] : top[t];
        }
        #pragma omp simd
        for (size t = 0; t < QUERIES; t++) {
            factor[t] = exp_down(most[t] - top[t]);
            most[t] = top[t];
            total[t] *= factor[t];
        }
        for (size key = 0; key < count; key++) {
            #pragma omp simd
            for (size t = 0; t < QUERIES; t++) {
                float p = exp_down(scores[key * QUERIES + t] - top[t]);
                scores[key * QUERIES + t] = p;
                total[t] += p;
            }
        }
        for (size d = 0; d < D; d++) {
            #pragma omp simd
            for (size t = 0; t < QUERIES; t++) sums[d * QUERIES + t] *= factor[t];
        }
        matmul(sums, QUERIES, values, 1, a->at_v.token, scores, QUERIES, D, QUERIES, count, 1.0f, 1);
    }
    for (size t = 0; t < n; t++)
        for (size d = 0; d < D; d++)
            a->out[((b * a->T + first + t) * a->H + h) * D + d] = sums[d * QUERIES + t] / total[t];
}

/* q [B, H, T, D], k, v [B, G, S, D] with the strides of the first three dims of each; out [B, T, H, D]. D is a multiple
 * of TILE and at most MAX_DIM. `causal`: the queries are the last T positions; otherwise each sees all. */
void attend(const float *q, const float *k, const float *v, float *out, const Strides *at, size B, size H, size G,
            size T, size S, size D, int causal, int threads) {
    Heads a = {q, k, v, out, at[0], at[1], at[2], T, S, H, G, D, causal};
    size blocks = (T + QUERIES - 1) / QUERIES;
    #pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (size i = 0; i < B * H * blocks; i++) {
        size first = (blocks - 1 - i % blocks) * QUERIES;  /* the longest first */
        attend_block(&a, i / blocks / H, i / blocks % H, first, T - first < QUERIES ? T - first : QUERIES);
    }
}
