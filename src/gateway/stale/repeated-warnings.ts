// Logs a warning that repeats once, and then how often it was repeated: a client that causes
// failures, or a retry that goes on failing, must not fill the log.

/** How long repetitions are counted before their number is logged, in ms. */
export const COUNT_FOR_MS = 10_000;

/** A logger of one request or session. */
interface WarningLog {
  warn(context: object, message: string): void;
}

/** Warnings with the same message are the same. */
export class RepeatedWarnings {
  /** The repetitions of each message since its last line. */
  readonly #repeated = new Map<string, number>();

  /** @param log gets the number of repetitions, as `repeated` */
  constructor(
    private readonly log: WarningLog,
    private readonly countForMs = COUNT_FOR_MS,
  ) {}

  /** Logs the warning, or counts it if the same one was logged shortly before. */
  warn(log: WarningLog, context: object, message: string): void {
    const repeated = this.#repeated.get(message);
    this.#repeated.set(message, repeated === undefined ? 0 : repeated + 1);
    if (repeated !== undefined) return;
    log.warn(context, message);
    this.#summarizeLater(message);
  }

  #summarizeLater(message: string): void {
    const summarize = (): void => {
      const repeated = this.#repeated.get(message) ?? 0;
      this.#repeated.delete(message);
      if (repeated === 0) return;
      this.log.warn({ repeated }, message);
      this.#repeated.set(message, 0);
      this.#summarizeLater(message);
    };
    setTimeout(summarize, this.countForMs).unref();
  }
}
