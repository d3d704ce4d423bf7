// Which servers a transaction may use, by what LISTEN is connected to.

import t from 'tap';
import { ServerCheck, SplitError } from '../../../src/gateway/database/server-identity.js';

t.test('after a split no connection changes anything before the next heartbeat', async (t) => {
  let splits = 0;
  const check = new ServerCheck(() => splits++);
  check.verify('old', 'write');
  check.setListening('old');
  check.verify('old', 'write');
  check.setListening('new');
  t.throws(() => check.verify('old', 'write'), SplitError);
  for (const server of ['old', 'new', 'third'])
    t.throws(() => check.verify(server, 'write'), SplitError, server);
  check.setListening(undefined);
  t.throws(() => check.verify('old', 'write'), SplitError, 'nor while LISTEN is lost');
  check.verify('new', 'read');
  t.equal(splits, 1, 'the feed is told once');
  check.setListening('new');
  check.verify('new', 'write');
  t.throws(() => check.verify('old', 'read'), SplitError);
});
