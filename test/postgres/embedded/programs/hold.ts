// Waits for a line on stdin, takes the lock of the folder in the first argument, prints whether
// that succeeded, and keeps the lock until stdin ends.

import { EmbeddedError } from '../../../../src/postgres/embedded/errors.js';
import { acquireLock } from '../../../../src/postgres/embedded/lock.js';

const [dataDir = ''] = process.argv.slice(2);
const say = (word: string): void => console.log(JSON.stringify(word));
say('waiting');
process.stdin.once('data', () => {
  acquireLock(dataDir).then(
    () => say('held'),
    (error: unknown) => say(error instanceof EmbeddedError ? error.code : String(error)),
  );
});
