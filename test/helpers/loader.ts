// Loads TypeScript in a test's child process exactly as the test does. Coverage is merged by
// offsets in compiled text, so a child with another compiler would turn the figures of both into
// nonsense.

/** For Node's `--import`. */
export const TYPESCRIPT_LOADER = import.meta.resolve('@tapjs/typescript/import');
