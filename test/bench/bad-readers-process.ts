// A process of those who read badly. They go on from when it is called until it ends.

import type { Role } from '../../src/gateway/auth/roles.js';
import { signToken } from '../../src/gateway/auth/token.js';
import { FLEET_PATH } from '../../src/protocol/paths.js';
import { serve } from '../../src/loadtest/rpc.js';
import { readBytewise, readNothing, talkEndlessly, type Endpoint } from '../faults/bad-readers.js';
import { CREDENTIALS } from './servers.js';

/** A hostname without an agent: another agent would be closed when this one connects. */
const TALKER = 'talker';
/** They end with their process. */
const forever = { teardown: () => undefined };

const handlers = {
  begin: async ({ url }: { url: string }): Promise<void> => {
    const endpoint = (path: string, role: Role, sub: string): Endpoint => ({
      url,
      path,
      token: signToken({ role, sub, ttlSeconds: 3_600 }, CREDENTIALS.secret),
    });
    const fleet = endpoint(FLEET_PATH, 'dashboard', 'stuck');
    await readNothing(forever, fleet);
    await readBytewise(forever, fleet);
    talkEndlessly(forever, endpoint(`${FLEET_PATH}/${TALKER}`, 'agent', TALKER));
  },
};
export type BadReadersHandlers = typeof handlers;

serve(handlers);
