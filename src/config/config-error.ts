// The error for an unusable configuration. It reports all problems together.

/**
 * The configuration is unusable. The message has one line per problem, with the variable, its value
 * (never that of a secret) and the expected value.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(
    readonly problems: readonly string[],
    options?: ErrorOptions,
  ) {
    super(['The configuration cannot be used:', ...problems].join('\n  '), options);
  }
}

const SHOWN_CHARACTERS = 200;

/** Quotes a value for a message: on one line, and shortened to 200 characters. Not for secrets. */
export function quoteValue(value: string | number): string {
  const text = String(value);
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return JSON.stringify(cut);
}
