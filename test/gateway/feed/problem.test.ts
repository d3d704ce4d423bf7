// A single reason at a time: the failure nearest to the connection explains the others.

import t from 'tap';
import { FeedProblem } from '../../../src/gateway/feed/problem.js';

t.test('before anything is known the database has not been reached', async (t) => {
  const problem = new FeedProblem();
  t.match(problem.reason, /has not been reached/);
  problem.recordConnection();
  t.match(problem.reason, /is being read/);
});

t.test('a lost connection comes before a missed heartbeat, and that before a read', async (t) => {
  const problem = new FeedProblem();
  problem.recordConnection();
  problem.recordFailedRead();
  t.match(problem.reason, /could not be read/);
  problem.recordMissedHeartbeat('unanswered');
  t.match(problem.reason, /does not answer queries/);
  problem.recordFailedRead();
  t.match(problem.reason, /does not answer queries/, 'whatever is recorded last');
  problem.recordDisconnection();
  t.match(problem.reason, /LISTEN connection/);
});

t.test('each missed heartbeat has a reason of its own', async (t) => {
  const problem = new FeedProblem();
  const reasons = (['lost', 'unanswered', 'failed', 'queue-full', 'silent', 'busy'] as const).map(
    (missed) => {
      problem.recordMissedHeartbeat(missed);
      return problem.reason;
    },
  );
  t.equal(new Set(reasons).size, 6);
  t.match(reasons[0], 'set LISTEN_DATABASE_URL to the server itself');
  t.match(reasons[3], 'queue of notifications is full');
  for (const reason of reasons.slice(4)) t.notMatch(reason, /pooler/i);
  t.match(reasons[5], 'too little CPU');
});

t.test('a missed heartbeat stays the reason until one arrives', async (t) => {
  const problem = new FeedProblem();
  problem.recordMissedHeartbeat('lost');
  problem.recordConnection();
  t.match(problem.reason, 'LISTEN_DATABASE_URL', 'another connection proves nothing');
  problem.recordHeartbeat();
  t.match(problem.reason, /is being read/);
});

t.test('failures of a connection end with it', async (t) => {
  const problem = new FeedProblem();
  problem.recordMissedHeartbeat('failed');
  problem.recordFailedRead();
  problem.recordDisconnection();
  problem.recordConnection();
  t.match(problem.reason, /is being read/);
});

t.test('once the feed is live, earlier failures are no reason', async (t) => {
  const problem = new FeedProblem();
  problem.recordDisconnection();
  problem.recordMissedHeartbeat('lost');
  problem.recordFailedRead();
  problem.clear();
  t.match(problem.reason, /is being read/);
});
