/* All of a DeltaNet layer between its projections, head by head: nothing leaves the core's cache on the way.
 *
 * Shapes: B batch, T tokens, G key heads of K dims, H value heads of V dims, C = 2GK + HV channels. */
#include "common.h"

enum { CHUNK = 32, MAX_TAPS = 8 };

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
