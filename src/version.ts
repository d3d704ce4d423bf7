// The version of this program, as package.json says it.

import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

const Manifest = Type.Object({ version: Type.String() });

/** The manifest lies beside `src` as beside `dist`. */
export const VERSION = Value.Parse(
  Manifest,
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
).version;
