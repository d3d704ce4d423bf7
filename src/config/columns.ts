// Parses the list of additional columns of `vms` that dashboards see. `crd_command` is never among
// them.

/** The column that no configuration can show, because it often contains a one-time code. */
const HIDDEN = 'crd_command';

/**
 * Parses names of columns separated by commas, and keeps their order.
 * @returns undefined if a name is empty, hidden, or longer than PostgreSQL's names (63 bytes:
 * "NAMEDATALEN")
 */
export function parseColumns(text: string): string[] | undefined {
  if (text === '') return [];
  const names = text.split(',').map((name) => name.trim());
  return names.every(isVisible) ? [...new Set(names)] : undefined;
}

function isVisible(name: string): boolean {
  return name !== '' && Buffer.byteLength(name) <= 63 && name.toLowerCase() !== HIDDEN;
}
