// Reads a list of people from CSV, as spreadsheets write it: in UTF-8, with a header, separated by
// commas, semicolons or tabs. Every problem is named with its line. Pure.

import { CsvError, parse } from 'csv-parse/sync';
import { isEmail } from './changes.js';

/** A person who needs a VM. */
export interface Person {
  readonly email: string;
  /** The VM that they are to have; undefined for any. */
  readonly hostname: string | undefined;
  readonly command: string | undefined;
}

export interface People {
  readonly people: readonly Person[];
  /** A sentence for each problem; with a problem there are no people. */
  readonly problems: readonly string[];
}

/** Other names that people give to these columns. */
const COLUMNS: Readonly<Record<keyof Person, readonly string[]>> = {
  email: ['email', 'e-mail', 'mail', 'email address', 'e-mail address'],
  hostname: ['hostname', 'vm', 'host'],
  command: ['command', 'crd_command'],
};
const MAX_PROBLEMS = 10;

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

/** Parses the content of a file. */
export function readPeople(content: Uint8Array): People {
  try {
    return parsePeople(decodeText(content));
  } catch (error) {
    if (error instanceof CsvError) return { people: [], problems: [describeCsvError(error)] };
    if (error instanceof RangeError) return { people: [], problems: [error.message] };
    throw error;
  }
}

/** @throws RangeError if the text is not UTF-8 */
function decodeText(content: Uint8Array): string {
  const isUtf16 = (content[0] === 0xff && content[1] === 0xfe) || content.includes(0);
  if (isUtf16)
    throw new RangeError('It is not UTF-8, but UTF-16 or no text: save it as “CSV UTF-8”.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    const line = findBadLine(content);
    throw new RangeError(`Line ${line}: it is not UTF-8: save the file as “CSV UTF-8”.`);
  }
}

function findBadLine(content: Uint8Array): number {
  const text = new TextDecoder().decode(content);
  return text.slice(0, text.indexOf('\uFFFD')).split('\n').length;
}

function parsePeople(text: string): People {
  const records = parse(text, {
    delimiter: chooseDelimiter(text),
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    trim: true,
  }) as unknown as readonly CsvRecord[];
  const [header, ...rows] = records;
  if (header === undefined) return { people: [], problems: ['The file is empty.'] };
  const names = header.record.map((name) => name.toLowerCase());
  const find = (column: keyof Person): number =>
    names.findIndex((name) => COLUMNS[column].includes(name));
  const columns = { email: find('email'), hostname: find('hostname'), command: find('command') };
  if (columns.email === -1)
    return {
      people: [],
      problems: [
        `The first line has no column "email", but: ${header.record.join(', ')}. Expected a header like: email,command`,
      ],
    };
  if (rows.length === 0) return { people: [], problems: ['There are no people below the header.'] };
  return checkRows(rows, columns);
}

/** The delimiter that the header has most; a spreadsheet uses the one of its language. */
function chooseDelimiter(text: string): string {
  const [header = ''] = text.split('\n', 1);
  const count = (delimiter: string): number => header.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, one) => (count(one) > count(best) ? one : best));
}

function checkRows(
  rows: readonly CsvRecord[],
  columns: Readonly<Record<keyof Person, number>>,
): People {
  const problems: string[] = [];
  const people: Person[] = [];
  const lines = { email: new Map<string, number>(), hostname: new Map<string, number>() };
  for (const { record, info } of rows) {
    const read = (column: keyof Person): string | undefined => {
      const text = record[columns[column]];
      return text === '' ? undefined : text;
    };
    const person = {
      email: read('email') ?? '',
      hostname: read('hostname'),
      command: read('command'),
    };
    const fault =
      findFault(person) ??
      findRepeated(lines.email, person.email.toLowerCase(), info.lines) ??
      findRepeated(lines.hostname, person.hostname, info.lines);
    if (fault === undefined) people.push(person);
    else problems.push(`Line ${info.lines}: ${fault}`);
  }
  if (problems.length === 0) return { people, problems };
  const more = problems.length - MAX_PROBLEMS;
  return {
    people: [],
    problems: more > 0 ? [...problems.slice(0, MAX_PROBLEMS), `And ${more} more.`] : problems,
  };
}

function findFault({ email }: Person): string | undefined {
  if (email === '') return 'there is no email.';
  return isEmail(email) ? undefined : `${email} is not an email address.`;
}

/** A person has one VM, and a VM one person. */
function findRepeated(
  seen: Map<string, number>,
  value: string | undefined,
  line: number,
): string | undefined {
  if (value === undefined) return undefined;
  const first = seen.get(value);
  if (first === undefined) seen.set(value, line);
  return first === undefined ? undefined : `${value} is in line ${first} already.`;
}

function describeCsvError({ message, lines }: CsvError & { readonly lines?: number }): string {
  return `Line ${lines ?? '?'}: it is not CSV: ${message}.`.replace(/\.\.$/, '.');
}
