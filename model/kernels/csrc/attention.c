/* Attention of the last T of S positions, with an online softmax (Dao et al., "FlashAttention", 2022).
 *
 * Scores lie as [keys, queries]: a vector holds one key's scores for many queries, so that maxima and sums need no
 * step across lanes, and neither keys nor values are ever turned. Blocks of queries that look at the same head of keys
 * take each block of keys in turn, so that it comes from memory once for all of them.
 * Shapes: B batch, H query heads, G key heads, D head dim. */
#include "common.h"

enum { QUERIES = 64, KEYS = 128, MOST = 16, ROOM = MOST * 64 * QUERIES };

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

/* Queries [first, first + n) of one head, as columns, and what is known of them so far. */
typedef struct {
    size head, first, n, end;  /* keys [0, end) are seen */
    float *q, *sums;  /* [D, QUERIES] */
    float most[QUERIES], total[QUERIES];  /* of the scores; of their exponentials, relative to `most` */
} Block;

static void begin(const Heads *a, size b, Block *x) {
    const float *query = a->q + b * a->at_q.batch + x->head * a->at_q.head + x->first * a->at_q.token;
    float scale = 1.0f / sqrtf(a->D);
    for (size d = 0; d < a->D; d++)
        for (size t = 0; t < QUERIES; t++)
            x->q[d * QUERIES + t] = t < x->n ? scale * query[t * a->at_q.token + d] : 0.0f;
    memset(x->sums, 0, a->D * QUERIES * sizeof(float)), memset(x->total, 0, sizeof x->total);
    for (size t = 0; t < QUERIES; t++) x->most[t] = -INFINITY;
}

/* Scores of `count` keys from `start` on. */
static void score(const Heads *a, const Block *x, const float *keys, size start, size count, float *scores) {
    size full = count / TILE * TILE, D = a->D, seen = a->S - a->T + x->first;  /* by the first query, and itself */
    matmul(scores, QUERIES, keys, a->at_k.token, 1, x->q, QUERIES, full, QUERIES, D, 1.0f, 0);
    if (full < count) {  /* nothing may be read behind the last key */
        float spare[TILE * MAX_DIM] = {0};
        for (size key = full; key < count; key++)
            memcpy(spare + (key - full) * D, keys + key * a->at_k.token, D * sizeof(float));
        matmul(scores + full * QUERIES, QUERIES, spare, D, 1, x->q, QUERIES, TILE, QUERIES, D, 1.0f, 0);
    }
    if (a->causal && start + count > seen)
        for (size key = 0; key < count; key++)
            for (size t = 0; t < QUERIES && seen + t < start + key; t++) scores[key * QUERIES + t] = -INFINITY;
}

static void take_in(const Heads *a, Block *x, const float *keys, const float *values, size start, size count) {
    float scores[KEYS * QUERIES], top[QUERIES], factor[QUERIES];
    score(a, x, keys, start, count, scores);
    memcpy(top, x->most, sizeof top);
    for (size key = 0; key < count; key++) {
        #pragma omp simd
        for (size t = 0; t < QUERIES; t++)
            top[t] = scores[key * QUERIES + t] > top[t] ? scores[key * QUERIES + t] : top[t];
    }
    #pragma omp simd
    for (size t = 0; t < QUERIES; t++) {
        factor[t] = exp_down(x->most[t] - top[t]);
        x->most[t] = top[t];
        x->total[t] *= factor[t];
    }
    for (size key = 0; key < count; key++) {
        #pragma omp simd
        for (size t = 0; t < QUERIES; t++) {
            float p = exp_down(scores[key * QUERIES + t] - top[t]);
            scores[key * QUERIES + t] = p;
            x->total[t] += p;
        }
    }
    for (size d = 0; d < a->D; d++) {
        #pragma omp simd
        for (size t = 0; t < QUERIES; t++) x->sums[d * QUERIES + t] *= factor[t];
    }
    matmul(x->sums, QUERIES, values, 1, a->at_v.token, scores, QUERIES, a->D, QUERIES, count, 1.0f, 1);
}

static void end(const Heads *a, size b, const Block *x) {
    for (size t = 0; t < x->n; t++)
        for (size d = 0; d < a->D; d++)
            a->out[((b * a->T + x->first + t) * a->H + x->head) * a->D + d] = x->sums[d * QUERIES + t] / x->total[t];
}

/* Blocks [from, to) of those that look at key head g, in the order of their heads. */
static void attend_blocks(const Heads *a, size b, size g, size from, size to) {
    float q[ROOM], sums[ROOM];
    Block blocks[MOST];
    size per_head = (a->T + QUERIES - 1) / QUERIES, last = 0;
    for (size i = from; i < to; i++) {
        Block *x = &blocks[i - from];
        x->head = g * (a->H / a->G) + i / per_head;
        x->first = i % per_head * QUERIES;
        x->n = a->T - x->first < QUERIES ? a->T - x->first : QUERIES;
        x->end = a->causal ? a->S - a->T + x->first + x->n : a->S;
        x->q = q + (i - from) * a->D * QUERIES;
        x->sums = sums + (i - from) * a->D * QUERIES;
        last = x->end > last ? x->end : last;
        begin(a, b, x);
    }
    const float *keys = a->k + b * a->at_k.batch + g * a->at_k.head;
    const float *values = a->v + b * a->at_v.batch + g * a->at_v.head;
    for (size start = 0; start < last; start += KEYS)
        for (Block *x = blocks; x < blocks + (to - from); x++) {
            size count = x->end - start < KEYS ? x->end - start : KEYS;
            if (count > 0)
                take_in(a, x, keys + start * a->at_k.token, values + start * a->at_v.token, start, count);
        }
    for (size i = 0; i < to - from; i++) end(a, b, &blocks[i]);
}

static size least(size x, size y) { return x < y ? x : y; }

/* q [B, H, T, D], k, v [B, G, S, D] with the strides of the first three dims of each; out [B, T, H, D]. D is a multiple
 * of TILE and at most MAX_DIM. `causal`: the queries are the last T positions; otherwise each sees all. */
void attend(const float *q, const float *k, const float *v, float *out, const Strides *at, size B, size H, size G,
            size T, size S, size D, int causal, int threads) {
    Heads a = {q, k, v, out, at[0], at[1], at[2], T, S, H, G, D, causal};
    size blocks = H / G * ((T + QUERIES - 1) / QUERIES), room = least(MOST, ROOM / (D * QUERIES));
    size share = B * G * blocks / (2 * threads), n = least(room, share > 1 ? share : 1);  /* two rounds for each thread */
    size parts = (blocks + n - 1) / n;
    #pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (size i = 0; i < B * G * parts; i++) {
        size part = parts - 1 - i % parts;  /* the longest first */
        attend_blocks(&a, i / parts / G, i / parts % G, part * n, least(blocks, (part + 1) * n));
    }
}
