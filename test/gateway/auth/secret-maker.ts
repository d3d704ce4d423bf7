// A process that resolves the stored secret at the same time as others: reports that it is ready,
// waits for the start, and prints the secret.

import { once } from 'node:events';
import { resolveSecrets } from '../../../src/gateway/auth/secret.js';

const [, , dataDir = ''] = process.argv;
const go = once(process, 'message');
process.send?.('ready');
await go;
const [secret] = await resolveSecrets({ jwtSecrets: [], jwtPublicKeys: [], dataDir });
process.send?.(secret);
process.disconnect();
