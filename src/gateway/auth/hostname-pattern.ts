// Matches hostnames with the pattern of an enrolment token: `*` stands for any characters. The time
// is bounded by the product of both lengths. Pure.

/** Whether the whole hostname matches. Characters are compared as they are. */
export function matchesPattern(pattern: string, hostname: string): boolean {
  const [first = '', ...others] = pattern.split('*');
  if (!hostname.startsWith(first)) return false;
  const last = others.pop();
  if (last === undefined) return hostname === first;
  let at = first.length;
  for (const part of others) {
    const found = hostname.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return hostname.length - last.length >= at && hostname.endsWith(last);
}
