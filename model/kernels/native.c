/* What torch has no fused operation for on a CPU, in fp32. Knows pointers and sizes; `reference.py` says what each
 * function means, `native.py` compiles this file and passes the arguments.
 *
 * Tensors are contiguous in the order of their comment unless a stride is passed; sizes count floats.
 * Shapes: B batch, T tokens, R rows, M model dim, G key heads of K dims, H value heads of V dims, C = 2GK + HV channels,
 * E experts of which k are chosen, I expert width, J shared width. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int64_t size;
typedef float vec __attribute__((vector_size(64), aligned(4), may_alias));

enum { LANES = 16, CHUNK = 32, MAX_DIM = 256, MAX_TAPS = 8, TILE = 8 };

/* ---- scalars and rows ---------------------------------------------------------------------------------------- */

/* e^x within 2 units in the last place (Cephes); a loop around it becomes vector instructions. */
static inline float exp_(float x) {
    x = x < -87.0f ? -87.0f : x;
    x = x > 88.0f ? 88.0f : x;
    float n = rintf(x * 1.44269504f);
    x = x - n * 0.693359375f + n * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * x + 1.3981999507e-3f;
    y = y * x + 8.3334519073e-3f;
    y = y * x + 4.1665795894e-2f;
    y = y * x + 1.6666665459e-1f;
    y = y * x + 5.0000001201e-1f;
    y = y * x * x + x + 1.0f;
    union { int32_t bits; float value; } power = {.bits = ((int32_t)n + 127) << 23};
    return y * power.value;
}

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

/* ---- few rows through matrices ------------------------------------------------------------------------------- */

/* y = x w^T for `count` matrices w [outs, M] that share x [R, M]; y [R, outs]. The table has the places of every w, then
 * of every y, then every outs. */
void project(const float *x, const void *table, size count, size R, size M, int threads) {
    const float *const *w = table;
    float *const *y = (float *const *)table + count;
    const size *outs = (const size *)table + 2 * count;
    size total = 0;
    for (size i = 0; i < count; i++) total += outs[i];
    size share = (total + threads - 1) / threads;
    share = (share + 3) / 4 * 4;
    #pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; part++) {
        size begin = part * share, end = begin + share, first = 0;
        for (size i = 0; i < count; first += outs[i], i++) {
            size lo = begin > first ? begin - first : 0, hi = end - first < outs[i] ? end - first : outs[i];
            for (size c = lo; c < hi;) {
                size step = c + 4 <= hi ? 4 : 1;
                for (size r = 0; r < R; r++) {
                    if (step == 4) dot4(x + r * M, w[i] + c * M, M, y[i] + r * outs[i] + c);
                    else y[i][r * outs[i] + c] = dot(x + r * M, w[i] + c * M, M);
                }
                c += step;
            }
        }
    }
}

static void gated(const float *x, const float *gate, const float *up, float *y, size begin, size end, size M) {
    for (size i = begin; i < end; i++) y[i] = silu(dot(x, gate + i * M, M)) * dot(x, up + i * M, M);
}

static inline size part_of(size n, int part, int threads) { return n * part / threads; }

/* The MLP of a layer for few rows: x, y [R, M]; shares, chosen [R, k] of the experts gate_up [E, 2I, M], down [E, M, I];
 * gate, up [J, M], down [M, J] of the shared expert and its switch [M], if any. k = 0: the shared one alone, a plain
 * MLP. J = 0: no shared one. */
void mlp(const float *x, const float *shares, const size *chosen, const float *gate_up, const float *down,
         const float *shared_gate, const float *shared_up, const float *shared_down, const float *shared_switch,
         float *y, size R, size M, size k, size I, size J, int threads) {
    size width = k * I + J;
    float *hidden = malloc(R * width * sizeof(float));
    #pragma omp parallel num_threads(threads)
    {
        #pragma omp for schedule(static)
        for (int part = 0; part < threads; part++)
            for (size r = 0; r < R; r++) {
                const float *row = x + r * M;
                float *h = hidden + r * width;
                size begin = part_of(I, part, threads), end = part_of(I, part + 1, threads);
                for (size j = 0; j < k; j++, h += I) {
                    const float *matrix = gate_up + chosen[r * k + j] * 2 * I * M;
                    gated(row, matrix, matrix + I * M, h, begin, end, M);
                }
                gated(row, shared_gate, shared_up, h, part_of(J, part, threads), part_of(J, part + 1, threads), M);
            }
        #pragma omp for schedule(static)
        for (int part = 0; part < threads; part++)
            for (size r = 0; r < R; r++) {
                const float *h = hidden + r * width;
                float share = J && shared_switch ? sigmoid(dot(x + r * M, shared_switch, M)) : 1.0f;
                for (size c = part_of(M, part, threads); c < part_of(M, part + 1, threads); c++) {
                    float sum = J ? share * dot(h + k * I, shared_down + c * J, J) : 0.0f;
                    for (size j = 0; j < k; j++)
                        sum += shares[r * k + j] * dot(h + j * I, down + (chosen[r * k + j] * M + c) * I, I);
                    y[r * M + c] = sum;
                }
            }
    }
    free(hidden);
}

/* ---- what stands between matrix products --------------------------------------------------------------------- */

/* y = x / rms(x) (offset + w), x, y [R, M]. */
void rms_norm(const float *x, const float *w, float offset, float eps, float *y, size R, size M, int threads) {
    #pragma omp parallel for num_threads(threads) if (R > 32)
    for (size r = 0; r < R; r++) {
        const float *row = x + r * M;
        float factor = inverse_norm(row, M, M, eps);
        #pragma omp simd
        for (size i = 0; i < M; i++) y[r * M + i] = row[i] * factor * (offset + w[i]);
    }
}

/* y = silu(gate) * up, [R, I]; the rows of gate and up lie `stride` apart. */
void silu_mul(const float *gate, const float *up, float *y, size R, size I, size stride, int threads) {
    #pragma omp parallel for num_threads(threads) if (R > 32)
    for (size r = 0; r < R; r++) {
        #pragma omp simd
        for (size i = 0; i < I; i++) y[r * I + i] = silu(gate[r * stride + i]) * up[r * stride + i];
    }
}

/* y = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), n values. */
void gelu_tanh(const float *x, float *y, size n, int threads) {
    #pragma omp parallel for simd num_threads(threads) if (n > 4096)
    for (size i = 0; i < n; i++) y[i] = x[i] * sigmoid(1.5957691216f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
}

/* The k largest of each row of logits [R, E], as shares of 1, and where they are. */
void choose(const float *logits, float *shares, size *chosen, size R, size E, size k, int threads) {
    #pragma omp parallel for num_threads(threads) if (R > 32)
    for (size r = 0; r < R; r++) {
        const float *row = logits + r * E;
        float *share = shares + r * k, sum = 0;
        size *best = chosen + r * k;
        for (size j = 0; j < k; j++) {
            size at = -1;
            for (size e = 0; e < E; e++) {
                int taken = 0;
                for (size i = 0; i < j; i++) taken |= best[i] == e;
                if (!taken && (at < 0 || row[e] > row[at])) at = e;
            }
            best[j] = at;
            sum += share[j] = expf(row[at] - row[best[0]]);
        }
        for (size j = 0; j < k; j++) share[j] /= sum;
    }
}

/* Rows by the expert that they chose: counts [E], order [R k] of the choices, and places [R k], its inverse. */
void group(const size *chosen, size *counts, size *order, size *places, size choices, size E, int threads) {
    (void)threads;  /* a pass over integers */
    size *next = malloc(E * sizeof(size));
    memset(counts, 0, E * sizeof(size));
    for (size i = 0; i < choices; i++) counts[chosen[i]]++;
    for (size e = 0, at = 0; e < E; at += counts[e++]) next[e] = at;
    for (size i = 0; i < choices; i++) {
        places[i] = next[chosen[i]]++;
        order[places[i]] = i;
    }
    free(next);
}

/* y = sum_j shares[j] parts[places[j]] + sigmoid(switches) shared; y, shared [R, M], places, shares [R, k]. */
void combine(const float *parts, const size *places, const float *shares, const float *switches, const float *shared,
             float *y, size R, size M, size k, int threads) {
    #pragma omp parallel for num_threads(threads) if (R > 32)
    for (size r = 0; r < R; r++) {
        float *row = y + r * M, share = switches ? sigmoid(switches[r]) : 0.0f;
        for (size i = 0; i < M; i++) row[i] = shared ? share * shared[r * M + i] : 0.0f;
        for (size j = 0; j < k; j++) {
            const float *part = parts + places[r * k + j] * M;
            float weight = shares[r * k + j];
            #pragma omp simd
            for (size i = 0; i < M; i++) row[i] += weight * part[i];
        }
    }
}

/* Each head normalised, its first 2 * half dims turned: x [B, T, H, D] with strides -> y [B, H, T, D]. */
void rotate_heads(const float *x, size token_stride, size head_stride, const float *w, float offset, float eps,
                  const float *cos, const float *sin, float *y, size B, size T, size H, size D, size half,
                  int threads) {
    #pragma omp parallel for num_threads(threads) if (B * T > 32)
    for (size at = 0; at < B * T; at++)
        for (size h = 0; h < H; h++) {
            const float *row = x + at * token_stride + h * head_stride, *c = cos + at * 2 * half,
                        *s = sin + at * 2 * half;
            float *out = y + ((at / T * H + h) * T + at % T) * D;
            float factor = inverse_norm(row, D, D, eps);
            #pragma omp simd
            for (size i = 0; i < D; i++) out[i] = row[i] * factor * (offset + w[i]);
            #pragma omp simd
            for (size i = 0; i < half; i++) {
                float a = out[i], b = out[i + half];
                out[i] = a * c[i] - b * s[i];
                out[i + half] = b * c[i + half] + a * s[i + half];
            }
        }
}

/* ---- the gated delta rule ------------------------------------------------------------------------------------ */

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
static void matmul(float *c, size ldc, const float *a, size ra, size ca, const float *b, size ldb, size m, size n,
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

typedef struct {
    const float *qkv, *z, *b, *a, *taps, *A_log, *dt_bias, *norm, *window, *start;
    float *out, *const *states, eps;
    size T, G, H, K, V, C, width;
} Mixer;

/* The weights of the convolution for one head's channels, turned: [width, n]. */
static void turn_taps(const Mixer *m, size channel, size n, float *taps) {
    for (size j = 0; j < m->width; j++)
        for (size i = 0; i < n; i++) taps[j * n + i] = m->taps[(channel + i) * m->width + j];
}

/* silu of the causal convolution at one token, n channels from `channel` on. */
static void convolve(const Mixer *m, size batch, size t, size channel, size n, const float *taps, float *y) {
    const float *columns[MAX_TAPS];
    for (size j = 0; j < m->width; j++) {
        size at = t - (m->width - 1) + j;
        columns[j] = channel + (at < 0 ? m->window + (batch * (m->width - 1) + at + m->width - 1) * m->C
                                       : m->qkv + (batch * m->T + at) * m->C);
    }
    for (size i = 0; i < n; i++) y[i] = 0;
    for (size j = 0; j < m->width; j++) {
        #pragma omp simd
        for (size i = 0; i < n; i++) y[i] += columns[j][i] * taps[j * n + i];
    }
    #pragma omp simd
    for (size i = 0; i < n; i++) y[i] = silu(y[i]);
}

static void l2_normalise(float *x, size n, float factor) { scale_row(x, n, factor * inverse_norm(x, n, 1.0, 1e-6)); }

static double log_decay(const Mixer *m, size at, size h) {
    double x = (double)m->a[at * m->H + h] + m->dt_bias[h];
    return -exp(m->A_log[h]) * (x > 20 ? x : log1p(exp(x)));
}

/* out = o / rms(o) w silu(z), one head of one token. */
static void gated_norm(const Mixer *m, const float *o, size at, size h) {
    const float *z = m->z + (at * m->H + h) * m->V;
    float *out = m->out + (at * m->H + h) * m->V, factor = inverse_norm(o, m->V, m->V, m->eps);
    #pragma omp simd
    for (size i = 0; i < m->V; i++) out[i] = o[i] * factor * m->norm[i] * silu(z[i]);
}

/* One token after the other; the state after each is kept. */
static void step_head(const Mixer *m, size batch, size h, float *const taps[3]) {
    size K = m->K, V = m->V, g = h / (m->H / m->G), mine = (batch * m->H + h) * K * V;
    float q[MAX_DIM], k[MAX_DIM], v[MAX_DIM], read[MAX_DIM], o[MAX_DIM];
    for (size t = 0; t < m->T; t++) {
        const float *old = (t ? m->states[t - 1] : m->start) + mine;
        float *new = m->states[t] + mine;
        size at = batch * m->T + t;
        convolve(m, batch, t, g * K, K, taps[0], q);
        convolve(m, batch, t, (m->G + g) * K, K, taps[1], k);
        convolve(m, batch, t, 2 * m->G * K + h * V, V, taps[2], v);
        l2_normalise(q, K, 1.0f / sqrtf(K));
        l2_normalise(k, K, 1.0f);
        float decay = exp(log_decay(m, at, h)), beta = sigmoid(m->b[at * m->H + h]), match = dot(q, k, K);
        memset(read, 0, V * sizeof(float)), memset(o, 0, V * sizeof(float));
        for (size i = 0; i < K; i++) {
            #pragma omp simd
            for (size j = 0; j < V; j++) read[j] += k[i] * old[i * V + j], o[j] += q[i] * old[i * V + j];
        }
        for (size j = 0; j < V; j++) {
            v[j] = beta * (v[j] - decay * read[j]);
            o[j] = decay * o[j] + match * v[j];
        }
        for (size i = 0; i < K; i++) {
            #pragma omp simd
            for (size j = 0; j < V; j++) new[i * V + j] = decay * old[i * V + j] + k[i] * v[j];
        }
        gated_norm(m, o, at, h);
    }
}

/* (I + A)^-1 x in place, A [CHUNK, CHUNK] strictly lower, x [CHUNK, n]: TILE rows at a time. */
static void solve(const float *A, float *x, size n) {
    for (size top = 0; top < CHUNK; top += TILE) {
        if (top) matmul(x + top * n, n, A + top * CHUNK, CHUNK, 1, x, n, TILE, n, top, -1.0f, 1);
        for (size i = top + 1; i < top + TILE; i++)
            for (size j = top; j < i; j++) {
                float factor = A[i * CHUNK + j];
                #pragma omp simd
                for (size c = 0; c < n; c++) x[i * n + c] -= factor * x[j * n + c];
            }
    }
}

/* `reference.delta_rule_chunked` for one head, chunk after chunk; nothing leaves the core's cache on the way. */
static void chunk_head(const Mixer *m, size batch, size h, float *const taps[3]) {
    size K = m->K, V = m->V, W = V + K, g = h / (m->H / m->G);
    float q[CHUNK * MAX_DIM], k[CHUNK * MAX_DIM], turned[CHUNK * MAX_DIM], uw[CHUNK * 2 * MAX_DIM];
    float mixing[CHUNK * CHUNK], inside[CHUNK * CHUNK], o[CHUNK * MAX_DIM], beta[CHUNK], grown[CHUNK], rest[CHUNK];
    double summed[CHUNK];
    float *S = m->states[0] + (batch * m->H + h) * K * V;
    memcpy(S, m->start + (batch * m->H + h) * K * V, K * V * sizeof(float));
    for (size first = 0; first < m->T; first += CHUNK) {
        size n = m->T - first < CHUNK ? m->T - first : CHUNK;
        double sum = 0;
        memset(q, 0, CHUNK * K * sizeof(float)), memset(k, 0, CHUNK * K * sizeof(float));
        memset(uw, 0, CHUNK * W * sizeof(float)), memset(beta, 0, sizeof beta);
        for (size t = 0; t < n; t++) {
            size at = batch * m->T + first + t;
            convolve(m, batch, first + t, g * K, K, taps[0], q + t * K);
            convolve(m, batch, first + t, (m->G + g) * K, K, taps[1], k + t * K);
            convolve(m, batch, first + t, 2 * m->G * K + h * V, V, taps[2], uw + t * W);
            l2_normalise(q + t * K, K, 1.0f / sqrtf(K));
            l2_normalise(k + t * K, K, 1.0f);
            beta[t] = sigmoid(m->b[at * m->H + h]);
            summed[t] = sum += log_decay(m, at, h);
        }
        for (size t = n; t < CHUNK; t++) summed[t] = sum;
        for (size t = 0; t < CHUNK; t++) {
            grown[t] = exp(summed[t]), rest[t] = exp(sum - summed[t]);
            for (size i = 0; i < K; i++) turned[i * CHUNK + t] = k[t * K + i];
            #pragma omp simd
            for (size i = 0; i < V; i++) uw[t * W + i] *= beta[t];
            #pragma omp simd
            for (size i = 0; i < K; i++) uw[t * W + V + i] = k[t * K + i] * beta[t] * grown[t];
        }
        matmul(mixing, CHUNK, k, K, 1, turned, CHUNK, CHUNK, CHUNK, K, 1.0f, 0);
        matmul(inside, CHUNK, q, K, 1, turned, CHUNK, CHUNK, CHUNK, K, 1.0f, 0);
        for (size i = 0; i < CHUNK; i++) {
            #pragma omp simd
            for (size j = 0; j < CHUNK; j++) {
                float gap = exp_((float)(summed[i] - summed[j]));
                mixing[i * CHUNK + j] = j < i ? mixing[i * CHUNK + j] * beta[i] * gap : 0.0f;
                inside[i * CHUNK + j] = j <= i ? inside[i * CHUNK + j] * gap : 0.0f;
            }
            scale_row(q + i * K, K, grown[i]);
            scale_row(k + i * K, K, rest[i]);
        }
        solve(mixing, uw, W);
        matmul(uw, W, uw + V, W, 1, S, V, CHUNK, V, K, -1.0f, 1);
        matmul(o, V, q, K, 1, S, V, CHUNK, V, K, 1.0f, 0);
        matmul(o, V, inside, CHUNK, 1, uw, W, CHUNK, V, CHUNK, 1.0f, 1);
        scale_row(S, K * V, exp(sum));
        matmul(S, V, k, 1, K, uw, W, K, V, CHUNK, 1.0f, 1);
        for (size t = 0; t < n; t++) gated_norm(m, o + t * V, batch * m->T + first + t, h);
    }
}

/* All of a layer between its projections: convolution, gates, delta rule, gated norm. qkv [B, T, C]; z [B, T, H, V];
 * b, a [B, T, H]; taps [C, width]; window [B, width - 1, C]; start [B, H, K, V]; out [B, T, H, V]; the states to
 * fill: after each token, with `each`, or after the last. K is a multiple of TILE, K and V are at most MAX_DIM. */
void mix(const float *qkv, const float *z, const float *b, const float *a, const float *taps, const float *A_log,
         const float *dt_bias, const float *norm, const float *window, const float *start, float *out, float *const *states,
         float eps, size B, size T, size G, size H, size K, size V, size width, int each, int threads) {
    Mixer m = {qkv, z, b, a, taps, A_log, dt_bias, norm, window, start, out, states, eps, T, G, H, K, V,
               2 * G * K + H * V, width};
    #pragma omp parallel for num_threads(threads) schedule(static)
    for (size at = 0; at < B * H; at++) {
        size batch = at / H, h = at % H, g = h / (H / G);
        float buffer[3 * MAX_TAPS * MAX_DIM], *const turned[3] = {
            buffer, buffer + MAX_TAPS * MAX_DIM, buffer + 2 * MAX_TAPS * MAX_DIM};
        turn_taps(&m, g * K, K, turned[0]);
        turn_taps(&m, (G + g) * K, K, turned[1]);
        turn_taps(&m, 2 * G * K + h * V, V, turned[2]);
        if (each) step_head(&m, batch, h, turned);
        else chunk_head(&m, batch, h, turned);
    }
}
