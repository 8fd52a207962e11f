/* Few rows through matrices, and what stands between the products of many rows. Knows pointers and sizes:
 * `reference.py` says what each function means, `native.py` passes the arguments.
 *
 * Tensors are contiguous in the order of their comment unless a stride is passed; sizes count floats.
 * Shapes: B batch, T tokens, R rows, M model dim, H heads of D dims, E experts of which k are chosen, I expert width,
 * J shared width. */
#include "common.h"

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

/* x <- gelu(x + bias), x [R, M], by its approximation with tanh. */
void gelu_tanh(float *x, const float *bias, size R, size M, int threads) {
    #pragma omp parallel for num_threads(threads) if (R > 32)
    for (size r = 0; r < R; r++) {
        #pragma omp simd
        for (size i = 0; i < M; i++) {
            float y = x[r * M + i] + bias[i];
            x[r * M + i] = y * sigmoid(1.5957691216f * (y + 0.044715f * y * y * y));
        }
    }
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

/* Each head normalised (unless w is NULL), its first 2 * half dims turned: x [B, T, H, D] with strides -> y [B, H, T, D]. */
void rotate_heads(const float *x, size token_stride, size head_stride, const float *w, float offset, float eps,
                  const float *cos, const float *sin, float *y, size B, size T, size H, size D, size half,
                  int threads) {
    #pragma omp parallel for num_threads(threads) if (B * T > 32)
    for (size at = 0; at < B * T; at++)
        for (size h = 0; h < H; h++) {
            const float *row = x + at * token_stride + h * head_stride, *c = cos + at * 2 * half,
                        *s = sin + at * 2 * half;
            float *out = y + ((at / T * H + h) * T + at % T) * D;
            if (w) {
                float factor = inverse_norm(row, D, D, eps);
                #pragma omp simd
                for (size i = 0; i < D; i++) out[i] = row[i] * factor * (offset + w[i]);
            } else {
                memcpy(out, row, D * sizeof(float));
            }
            #pragma omp simd
            for (size i = 0; i < half; i++) {
                float a = out[i], b = out[i + half];
                out[i] = a * c[i] - b * s[i];
                out[i + half] = b * c[i + half] + a * s[i + half];
            }
        }
}
