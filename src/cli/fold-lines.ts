// Puts JSON on a single line, for programs that read lines.

/** Replaces line breaks, which a JSON column may hold: JSON allows them only between its tokens. */
export function foldLines(json: string): string {
  return json.replace(/[\r\n]+/g, ' ');
}
