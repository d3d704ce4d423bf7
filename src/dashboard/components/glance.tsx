// The summary of the fleet: counts by status, which are also filters, agents, unacknowledged
// assignments, and two small plots.

import type { JSX } from 'preact';
import { useFleet, useNow } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { toggleStatus, type Query } from '../model/query.js';
import { STATUS_GROUPS, type StatusGroup } from '../model/fleet-counters.js';
import { formatNumber } from '../model/quantity.js';
import { formatDuration } from '../model/time.js';
import { STATUS_LABELS } from '../model/status-labels.js';
import { Icon, type IconName } from './icons.js';
import { Sparkline } from './sparkline.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly query: Query;
  readonly onQuery: (query: Query) => void;
}

/** Rendered only when the query changes; its children follow the fleet separately. */
export function Glance({ fleet, query, onQuery }: Props): JSX.Element {
  return (
    <section class="glance" aria-label="Summary">
      <Counts fleet={fleet} query={query} onQuery={onQuery} />
      <Plots fleet={fleet} />
    </section>
  );
}

function Counts({ fleet, query, onQuery }: Props): JSX.Element {
  useFleet(fleet, ({ revision }) => revision);
  const { loaded } = fleet;
  const { byStatus, online, waiting, endangered, total } = fleet.store.counters;
  const shown = STATUS_GROUPS.filter((status) => status !== 'other' || byStatus.other > 0);
  return (
    <>
      <div class="counts" role="group" aria-label="Filter by state" data-tiles={shown.length + 3}>
        <Count
          name="Needs attention"
          icon="failed"
          tone={endangered > 0 ? 'danger' : 'calm'}
          value={loaded ? endangered : undefined}
          pressed={query.attention}
          onPress={() => onQuery({ ...query, attention: !query.attention })}
        />
        {shown.map((status) => (
          <Count
            key={status}
            name={STATUS_LABELS[status]}
            icon={status}
            tone={status}
            value={loaded ? byStatus[status] : undefined}
            pressed={query.statuses.includes(status)}
            onPress={() => onQuery(toggleStatus(query, status))}
          />
        ))}
        <Count
          name="Agents online"
          icon="online"
          tone="online"
          value={loaded ? online : undefined}
          of={total}
          pressed={query.agent === 'online'}
          onPress={() =>
            onQuery({ ...query, agent: query.agent === 'online' ? undefined : 'online' })
          }
        />
        <Count
          name="Waiting"
          icon="waiting"
          tone="waiting"
          value={loaded ? waiting : undefined}
          pressed={query.waiting}
          onPress={() => onQuery({ ...query, waiting: !query.waiting })}
        />
      </div>
      <Shares byStatus={byStatus} total={total} />
    </>
  );
}

interface CountProps {
  readonly name: string;
  readonly icon: IconName;
  readonly tone: string;
  /** Undefined until it is known. */
  readonly value: number | undefined;
  readonly of?: number;
  readonly pressed: boolean;
  readonly onPress: () => void;
}

function Count({ name, icon, tone, value, of, pressed, onPress }: CountProps): JSX.Element {
  return (
    <button class={`count tone-${tone}`} type="button" aria-pressed={pressed} onClick={onPress}>
      <span class="count-name">
        <Icon name={icon} />
        {name}
      </span>
      <span class="count-value">
        {value === undefined ? '–' : formatNumber(value)}
        {of !== undefined && value !== undefined && (
          <span class="count-of"> / {formatNumber(of)}</span>
        )}
      </span>
    </button>
  );
}

interface SharesProps {
  readonly byStatus: Readonly<Record<StatusGroup, number>>;
  readonly total: number;
}

/** The statuses as shares of one bar; hidden from screen readers, which read the counts. */
function Shares({ byStatus, total }: SharesProps): JSX.Element {
  return (
    <div class="shares" aria-hidden="true">
      {STATUS_GROUPS.filter((status) => byStatus[status] > 0).map((status) => (
        <span
          key={status}
          class={`share tone-${status}`}
          style={{ flexGrow: byStatus[status] / total }}
        />
      ))}
    </div>
  );
}

function Plots({ fleet }: { readonly fleet: LiveFleet }): JSX.Element {
  useNow();
  const nowMs = Date.now();
  const [seconds, changes] = fleet.changes.readSeries(nowMs);
  const [, , deliveries] = fleet.deliveries.readSeries(nowMs);
  const latest = deliveries.findLast((value) => value !== null);
  const isLive = useFleet(fleet, ({ connection }) => connection.phase === 'live');
  const noDelivery = fleet.loaded ? 'none yet' : '–';
  return (
    <div class="plots">
      <Sparkline
        name="Changes per second"
        value={isLive ? String(changes.at(-1) ?? 0) : '–'}
        kind="bars"
        tone="in-use"
        data={[seconds, changes]}
      />
      <Sparkline
        name="Acknowledged after"
        value={latest === undefined ? noDelivery : formatDuration(latest)}
        kind="points"
        tone="online"
        data={[seconds, deliveries]}
      />
    </div>
  );
}
