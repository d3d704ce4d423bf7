// Forwards what the watch of an agent's VM says to the agent, and asks it to repeat what the
// gateway could not process.

import type { VmWatch } from '../client/index.js';
import type { Agent } from './agent.js';

/** The pause before a request is repeated that the database could not answer. */
const RETRY_MS = 2_000;

export function forwardEvents(agent: Agent, watch: VmWatch): void {
  let latest = '';
  let isRetryPending = false;
  const retryLater = (): void =>
    void setTimeout(() => agent.dispatch({ type: 'unavailable' }), RETRY_MS).unref();
  watch.on('frame', (frame) => (latest = frame));
  watch.on('update', (message) => agent.dispatch({ type: 'row', message, frame: latest }));
  watch.on('rejection', ({ code }) => {
    if (code === 'unavailable') retryLater();
    if (code !== 'stale_assignment') return;
    // The database went back, or another server answered, if the row stays as it is.
    if (watch.connection.phase === 'live') retryLater();
    else isRetryPending = true;
  });
  watch.on('connection', (state) => {
    if (state.phase === 'reconnecting') agent.dispatch({ type: 'disconnected' });
    if (state.phase === 'closed' && state.rejected) agent.dispatch({ type: 'rejected' });
    if (state.phase !== 'live' || !isRetryPending) return;
    isRetryPending = false;
    agent.dispatch({ type: 'unavailable' });
  });
}
