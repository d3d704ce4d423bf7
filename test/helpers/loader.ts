// How a test's child process reads TypeScript: as the test itself does. Coverage is merged by
// offsets in compiled text, so a child that compiled the same files in another way would turn the
// figures of both into nonsense.

/** For Node's `--import`. */
export const TYPESCRIPT_LOADER = import.meta.resolve('@tapjs/typescript/import');
