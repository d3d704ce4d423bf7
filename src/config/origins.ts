// Origins: the sites whose pages may talk to the gateway from a browser.

/**
 * Reads origins between commas, each exactly as browsers send it (RFC 6454 §6.2): scheme, host in
 * lower case, and a port that is not the scheme's own. Undefined when one is anything else: it
 * would never match.
 */
export function parseOrigins(text: string): readonly string[] | undefined {
  if (text === '') return [];
  const origins = text.split(',').map((origin) => origin.trim());
  return origins.every(isOrigin) ? [...new Set(origins)] : undefined;
}

/** A URL's host may hold a `*`, which would stand for itself alone. */
function isOrigin(text: string): boolean {
  return /^https?:[^*]+$/.test(text) && URL.canParse(text) && new URL(text).origin === text;
}
