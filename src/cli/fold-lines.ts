// JSON as one line, for whoever reads lines.

/** A JSON column may hold line breaks; outside strings, the only place where JSON allows them, they mean nothing. */
export function foldLines(json: string): string {
  return json.replace(/[\r\n]+/g, ' ');
}
