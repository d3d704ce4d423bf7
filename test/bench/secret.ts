/** What signs the tokens of a benchmark's clients. */
export const BENCH_SECRET = 'a secret that only benchmarks know, of enough bytes';
