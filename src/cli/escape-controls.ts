// What a row or a server says, made safe for the terminal it is shown on.

/** Control characters, which could rewrite the screen, are written as escapes. */
export function escapeControls(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}
