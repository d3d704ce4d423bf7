// The version of this program, from package.json.

import { readFileSync } from 'node:fs';
import { Type } from 'typebox';
import { Value } from 'typebox/value';

const Manifest = Type.Object({ version: Type.String() });

/** The manifest is in the parent folder of both `src` and `dist`. */
export const VERSION = Value.Parse(
  Manifest,
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')),
).version;
