// Logged responses contain known words only, and never text from the client.

import t from 'tap';
import { pino } from 'pino';
import type { LoggedResponse } from '../../../../src/gateway/http/problems/response-log.js';
import { sendProblem } from '../../../../src/gateway/http/problems/problem.js';
import { createServer } from '../../../../src/gateway/http/server.js';

t.test(
  'every response is reported once, with the pattern of its route and the code of its problem',
  async (t) => {
    const answers: LoggedResponse[] = [];
    const server = createServer(pino({ level: 'silent' }), false, (answer) => answers.push(answer));
    server.get('/vms/:hostname', async () => 'ok');
    server.post('/vms', async (_request, reply) => sendProblem(reply, 'no_vm_available', 'None.'));
    server.get('/bug', () => Promise.reject(new Error('a bug')));
    for (const [method, url] of [
      ['GET', '/vms/secret?token=secret'],
      ['POST', '/vms'],
      ['GET', '/bug'],
      ['GET', '/secret'],
      ['PURGE', '/vms/secret'],
      ['GET', '/vms/%ff'],
      ['GET', `/vms/${'x'.repeat(4_000)}`],
    ] as const) {
      await server.inject({ method: method as 'GET', url });
    }
    t.same(answers, [
      { at: 'http', route: 'GET /vms/:hostname', status: 200, problem: undefined },
      { at: 'http', route: 'POST /vms', status: 409, problem: 'no_vm_available' },
      { at: 'http', route: 'GET /bug', status: 500, problem: 'internal_error' },
      { at: 'http', route: 'none', status: 404, problem: 'not_found' },
      { at: 'http', route: 'none', status: 404, problem: 'not_found' },
      { at: 'http', route: 'none', status: 400, problem: 'invalid_request' },
      { at: 'http', route: 'none', status: 414, problem: 'uri_too_long' },
    ]);
  },
);
