// What is said when the configuration cannot be used: everything that is wrong with it, at once.

/**
 * The configuration is not usable. Its message has one line for each fault, which names the
 * variable, what was given (never a secret's value) and what is expected.
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

/** A value as a message shows it: quoted, on one line, cut when long. Not for secrets. */
export function quoteValue(value: string | number): string {
  const text = String(value);
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return JSON.stringify(cut);
}
