// Whether a hostname can be taken for one in Latin letters: by letters of several scripts, such as
// a Cyrillic `а` in `vm-а`, or by Cyrillic or Greek letters that all look Latin. Pure.
//
// Rules: Unicode Technical Standard 39, "Restriction-Level Detection" (Highly Restrictive) and
// "Whole-Script Confusables".

/** Scripts that are written together. Latin may stand beside each of these. */
const WRITTEN_TOGETHER: readonly (readonly string[])[] = [
  ['Han', 'Hiragana', 'Katakana'],
  ['Han', 'Bopomofo'],
  ['Han', 'Hangul'],
];

const SCRIPTS = [
  ...['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Hebrew', 'Arabic', 'Devanagari', 'Bengali'],
  ...['Thai', 'Georgian', 'Hangul', 'Hiragana', 'Katakana', 'Bopomofo', 'Han', 'Cherokee'],
  ...['Coptic', 'Lisu', 'Deseret', 'Canadian_Aboriginal', 'Ethiopic', 'Tamil', 'Telugu', 'Khmer'],
].map((name) => ({ name, letters: new RegExp(`\\p{Script_Extensions=${name}}`, 'u') }));

/** Characters of every script: digits, punctuation, marks, symbols. */
const SHARED = /[\p{Script=Common}\p{Script=Inherited}]/gu;

/** Letters that look like a Latin letter or digit in the usual fonts, in lower case. */
const LOOK_LATIN: Readonly<Record<string, RegExp>> = {
  Cyrillic: /^[авекмнорстухіїјѕԁԛԝһӏгпьѵѡҽъҷҝћ]+$/u,
  Greek: /^[αβγεηικμνορςτυχωϲϳ]+$/u,
};

/** Whether the hostname can be taken for another one, whose letters are of one script. */
export function looksLikeAnother(hostname: string): boolean {
  // Forms for typography, such as full width, are the same letters.
  if (hostname !== hostname.normalize('NFKC')) return true;
  const letters = hostname.toLowerCase().replace(SHARED, '');
  if (letters === '') return false;
  const scripts = SCRIPTS.filter((script) => script.letters.test(letters)).map(({ name }) => name);
  if (!isWrittenTogether(letters, scripts)) return true;
  const [script = ''] = scripts;
  return scripts.length === 1 && LOOK_LATIN[script]?.test(letters) === true;
}

/** Whether one script, or scripts that are written together, has all of the letters. */
function isWrittenTogether(letters: string, scripts: readonly string[]): boolean {
  const others = scripts.filter((name) => name !== 'Latin');
  const known = Array.from(letters).every((letter) =>
    SCRIPTS.some((script) => script.letters.test(letter)),
  );
  if (!known) return scripts.length === 0;
  if (scripts.length <= 1) return true;
  if (hasAll(letters, scripts)) return true;
  return WRITTEN_TOGETHER.some((together) => others.every((name) => together.includes(name)));
}

/** A letter may belong to several scripts, such as a mark that Hiragana and Katakana share. */
function hasAll(letters: string, scripts: readonly string[]): boolean {
  return scripts.some((name) => {
    const script = SCRIPTS.find((known) => known.name === name);
    return (
      script !== undefined && Array.from(letters).every((letter) => script.letters.test(letter))
    );
  });
}
