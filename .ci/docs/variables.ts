// The configuration variables with their defaults.

import { VARIABLES } from '../../src/config/load.js';
import { code, table } from './table.js';

export function variables(): string {
  return table(
    ['variable', 'default', 'meaning'],
    VARIABLES.map(({ name, about }) => [
      code(name),
      code(String(about.default ?? '')),
      about.description,
    ]),
  );
}
