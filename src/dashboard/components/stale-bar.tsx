// The bar over a page whose VMs are not current: since when, what is lost and what is not, and what
// the user can do. The VMs stay below it, as they were.

import type { ComponentChildren, JSX } from 'preact';
import type { Closed } from '../../client/index.js';
import { readGatewayTime } from '../clock.js';
import { useFleet } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { explainClose } from '../model/close-labels.js';
import { explainStale } from '../model/outage.js';
import { formatTimeOfDay } from '../model/time.js';
import type { UserClaims } from '../model/token.js';
import { Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly claims: UserClaims | undefined;
  readonly onRetry: () => void;
  readonly onSignOut: () => void;
}

export function StaleBar({ fleet, claims, onRetry, onSignOut }: Props): JSX.Element | null {
  const state = useFleet(fleet, ({ connection }) => connection);
  const asOfMs = useFleet(fleet, ({ asOfMs: time }) => time);
  const loaded = useFleet(fleet, ({ loaded: received }) => received);
  if (!loaded) return null;
  if (state.phase === 'closed') {
    const bar = { ended: state, claims, asOfMs, onRetry, onSignOut };
    return state.rejected ? <EndedBar {...bar} /> : null;
  }
  const outage = explainStale(state);
  if (outage === undefined) return null;
  return (
    <Bar title={outage.title} text={outage.text} asOfMs={asOfMs}>
      {outage.canTryNow && (
        <button class="button" type="button" onClick={() => fleet.reconnectNow()}>
          Try now
        </button>
      )}
    </Bar>
  );
}

interface EndedBarProps extends Omit<Props, 'fleet'> {
  readonly ended: Closed;
  readonly asOfMs: number | undefined;
}

function EndedBar({ ended, claims, asOfMs, onRetry, onSignOut }: EndedBarProps): JSX.Element {
  const { title, text, canRetry } = explainClose(ended, claims, readGatewayTime());
  return (
    <Bar
      title={title}
      text={`${text} The page no longer changes; the VMs and their commands go on.`}
      asOfMs={asOfMs}
    >
      {canRetry && (
        <button class="button" type="button" onClick={onRetry}>
          Try again
        </button>
      )}
      <button class="button primary" type="button" onClick={onSignOut}>
        Use another token
      </button>
    </Bar>
  );
}

interface BarProps {
  readonly title: string;
  readonly text: string;
  readonly asOfMs: number | undefined;
  readonly children: ComponentChildren;
}

function Bar({ title, text, asOfMs, children }: BarProps): JSX.Element {
  return (
    <section class="stale-bar" aria-labelledby="stale-title">
      <Icon name="failed" />
      <div class="stale-words">
        <h2 id="stale-title">{title}</h2>
        {asOfMs !== undefined && (
          <p class="stale-time">
            as of <time dateTime={new Date(asOfMs).toISOString()}>{formatTimeOfDay(asOfMs)}</time>
          </p>
        )}
        <p>{text}</p>
      </div>
      <div class="stale-buttons">{children}</div>
    </section>
  );
}
