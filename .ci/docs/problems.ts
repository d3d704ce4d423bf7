// The problem codes of the HTTP API with their status.

import { PROBLEMS } from '../../src/gateway/http/problems/problem.js';
import { code, table } from './table.js';

export function problems(): string {
  return table(
    ['code', 'status', 'when'],
    Object.entries(PROBLEMS).map(([name, { status, when }]) => [code(name), `${status}`, when]),
  );
}
