// One of several processes that look for the kept secret at the same moment: says when it is ready, waits for the word,
// and tells what it found.

import { once } from 'node:events';
import { resolveSecrets } from '../../../src/gateway/auth/secret.js';

const [, , dataDir = ''] = process.argv;
const go = once(process, 'message');
process.send?.('ready');
await go;
const [secret] = await resolveSecrets({ jwtSecrets: [], jwtPublicKeys: [], dataDir });
process.send?.(secret);
process.disconnect();
