// Finds the elements that make a statement fail for all: a statement over many elements is repeated
// over halves, until each element that cannot be processed is alone.

/**
 * PostgreSQL's classes "data exception" and "integrity constraint violation", and P0001, which
 * functions raise: an element of the statement is the cause, and its other elements may succeed.
 */
const ELEMENT = /^(22|23|P0)/;

/** Whether a statement failed because of one of its elements, and not of the server or a lock. */
export function isElementError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ELEMENT.test(String(error.code));
}

/**
 * Processes the elements in halves, and reports each one that cannot be processed alone.
 *
 * @param process a statement over some elements; may be repeated with a part of them
 * @returns the results of the statements that succeeded, in the order of the elements
 * @throws an error that is not of an element; the elements after it are not processed
 */
export async function processInHalves<T, R>(
  elements: readonly T[],
  process: (elements: readonly T[]) => Promise<R>,
  rejected: (element: T, error: unknown) => void,
): Promise<R[]> {
  if (elements.length === 0) return [];
  try {
    return [await process(elements)];
  } catch (error) {
    if (!isElementError(error)) throw error;
    const [first] = elements;
    if (first !== undefined && elements.length === 1) {
      rejected(first, error);
      return [];
    }
  }
  const middle = Math.ceil(elements.length / 2);
  return [
    ...(await processInHalves(elements.slice(0, middle), process, rejected)),
    ...(await processInHalves(elements.slice(middle), process, rejected)),
  ];
}
