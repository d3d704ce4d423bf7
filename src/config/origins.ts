// Parses the origins whose pages may use the gateway from a browser.

/**
 * Parses origins separated by commas. Each must be written as browsers send it (RFC 6454 §6.2):
 * scheme, host in lower case, and the port unless it is the scheme's default. Any other spelling
 * would never match.
 * @returns undefined if an origin is anything else
 */
export function parseOrigins(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? [...new Set(origins)] : undefined;
}

/** Whether `text` is an origin. A `*` is rejected, because it would match only itself. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
