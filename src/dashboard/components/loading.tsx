// What stands in place of the VMs before they are known: rows without content while the page loads,
// and a message if the gateway or its database was never reached.

import type { JSX } from 'preact';
import { useFleet } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { explainUnreached } from '../model/outage.js';
import { Icon } from './icons.js';

const SKELETON_ROWS = Array.from({ length: 8 }, (_, index) => index);

export function LoadingFleet({ fleet }: { readonly fleet: LiveFleet }): JSX.Element {
  const state = useFleet(fleet, ({ connection }) => connection);
  const outage = useFleet(fleet, ({ lastOutage }) => lastOutage);
  const unreached = outage && explainUnreached(outage);
  if (unreached === undefined) {
    return (
      <div class="loading" id="fleet" tabIndex={-1} role="status">
        <p>Loading…</p>
        {SKELETON_ROWS.map((row) => (
          <div key={row} class="skeleton-row" aria-hidden="true">
            <i />
            <i />
            <i />
          </div>
        ))}
      </div>
    );
  }
  return (
    <div class="empty" id="fleet" tabIndex={-1} role="alert">
      <span class="empty-sign">
        <Icon name="failed" />
      </span>
      <h2>{unreached.title}</h2>
      <p>{unreached.text}</p>
      <button
        class="button"
        type="button"
        disabled={state.phase === 'connecting'}
        onClick={() => fleet.reconnectNow()}
      >
        {state.phase === 'connecting' ? 'Trying…' : 'Try now'}
      </button>
    </div>
  );
}
