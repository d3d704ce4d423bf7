// Makes text of rows and servers safe for a terminal.

/** Escapes control characters, which could rewrite the screen, as in JSON: `\\u001b`. */
export function escapeControls(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
