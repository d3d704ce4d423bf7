// Formats a number of things, with its noun in the right number.

/** Created once: creating a formatter takes longer than the rest of a frame. */
const NUMBER_FORMAT = new Intl.NumberFormat();

/** Formats a number with the separators of this machine's language. */
export const formatNumber = (count: number): string => NUMBER_FORMAT.format(count);

/** Formats `1 VM`, `1,204 VMs`. */
export function formatQuantity(count: number, one: string, many = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}
