// What the agent repeats after the gateway could not process it.

import t from 'tap';
import type { Agent } from '../../src/agent/agent.js';
import type { AgentEvent } from '../../src/agent/agent-state.js';
import { forwardEvents } from '../../src/agent/forward-events.js';
import type { VmWatch } from '../../src/client/index.js';
import { until } from '../helpers/until.js';

/** An agent that records events, and a watch whose events the test emits. */
function setUp(phase: 'live' | 'stale') {
  const listeners = new Map<string, (event: object) => void>();
  const events: AgentEvent[] = [];
  const watch = {
    connection: { phase },
    on: (name: string, listener: (event: object) => void) => listeners.set(name, listener),
  };
  const agent = { dispatch: (event: AgentEvent) => events.push(event) };
  forwardEvents(agent as unknown as Agent, watch as unknown as VmWatch);
  const emit = (name: string, event: object): void => listeners.get(name)?.(event);
  return { events, emit };
}

const AGAIN: AgentEvent = { type: 'unavailable' };

t.test('what is rejected as stale is sent again when the feed is live', async (t) => {
  const { events, emit } = setUp('stale');
  emit('rejection', { code: 'stale_assignment' });
  emit('connection', { phase: 'stale' });
  t.same(events, []);
  emit('connection', { phase: 'live' });
  t.same(events, [AGAIN]);
  emit('connection', { phase: 'live' });
  t.same(events, [AGAIN], 'once');
});

t.test('what is rejected as stale on a live feed is sent again after a pause', async (t) => {
  const { events, emit } = setUp('live');
  // The pause does not keep the process alive.
  const alive = setInterval(() => undefined, 1_000);
  t.teardown(() => clearInterval(alive));
  emit('rejection', { code: 'stale_assignment' });
  t.same(events, []);
  await until('the repetition', () => events.length > 0);
  t.same(events, [AGAIN]);
});

t.test('a rejection that no repetition mends is not repeated', async (t) => {
  const { events, emit } = setUp('stale');
  emit('rejection', { code: 'not_allowed' });
  emit('connection', { phase: 'live' });
  t.same(events, []);
});
