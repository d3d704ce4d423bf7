// The clients for JavaScript and for Python follow the protocol in every scenario.

import { resolve } from 'node:path';
import t from 'tap';
import { CLOSE, decideReturn } from '../../src/protocol/close-codes.js';
import { findPython } from '../agent/python.js';
import { MAIN } from '../helpers/process.js';
import { runScenario, type ClientCommand } from './run-scenario.js';
import { readScenarios } from './scenario.js';

const python = findPython();
const CLIENTS: Readonly<Record<string, ClientCommand | undefined>> = {
  JavaScript: [process.execPath, MAIN, 'watch', '--json'],
  Python: python === undefined ? undefined : [python, resolve('deploy/agent/lablink_client.py')],
};
const scenarios = readScenarios();

t.test('every close code of the gateway has a scenario', async (t) => {
  for (const { code } of Object.values(CLOSE)) {
    const last = decideReturn(code) === 'no' ? 'exit' : 'accept';
    const found = scenarios.find(({ name }) => name.startsWith(`${code}:`));
    t.ok(found?.steps.at(-1) !== undefined && last in (found.steps.at(-1) ?? {}), String(code));
  }
});

for (const [name, command] of Object.entries(CLIENTS)) {
  const skip = command === undefined && 'no Python with websockets';
  t.test(name, { skip }, (t) => {
    t.jobs = 6; // Most of the time a client pauses before it returns.
    for (const scenario of scenarios) {
      t.test(scenario.name, { buffered: true }, async (t) => {
        await runScenario(t, command ?? [''], scenario);
        t.pass('the client followed every step');
      });
    }
    t.end();
  });
}
