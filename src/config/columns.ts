// Which columns of `vms` dashboards may see besides the usual ones. Never `crd_command`.

/** What no dashboard sees, whatever is configured: it often holds a one-time code. */
const HIDDEN = 'crd_command';

/**
 * Reads names of columns with commas between them, in the order given. Undefined when one is
 * empty, hidden, or cannot be a column (PostgreSQL cuts names at 63 bytes: "NAMEDATALEN").
 */
export function parseColumns(text: string): string[] | undefined {
  if (text === '') return [];
  const names = text.split(',').map((name) => name.trim());
  return names.every(isVisible) ? [...new Set(names)] : undefined;
}

function isVisible(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= 63 && name.toLowerCase() !== HIDDEN;
}
