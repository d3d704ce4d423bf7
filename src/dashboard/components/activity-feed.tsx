// The fleet's activity, the latest first: who changed what, and what agents did. The list can be
// paused and filtered, and goes back in time.

import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import { useFleet } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import {
  ACTIVITY_FILTERS,
  filterActivity,
  groupActivity,
  type ActivityFilter,
} from '../model/activity-groups.js';
import { useEntries, type ActivityHistory } from '../use-activity.js';
import { ActivityItem } from './activity-item.js';
import { Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly history: ActivityHistory;
  readonly onSelect: (hostname: string) => void;
  readonly hidden: boolean;
}

/** How many lines are rendered at first, and how many more at each request. */
const PAGE = 60;

export function ActivityFeed({ fleet, history, onSelect, hidden }: Props): JSX.Element {
  const [paused, setPaused] = useState(false);
  const [filter, setFilter] = useState<ActivityFilter>('all');
  const [shown, setShown] = useState(PAGE);
  const { entries, unseen } = useEntries(fleet, paused);
  const groups = useMemo(() => groupActivity(filterActivity(entries, filter)), [entries, filter]);
  const showEarlier = (): void => {
    if (groups.length < shown + PAGE) history.readEarlier?.();
    setShown(shown + PAGE);
  };
  const hasEarlier = groups.length > shown || history.readEarlier !== undefined;
  return (
    <aside class="activity" aria-labelledby="activity-title" hidden={hidden}>
      <div class="activity-head">
        <h2 id="activity-title">Activity</h2>
        <FilterSelect filter={filter} onFilter={setFilter} />
        <button
          class="button quiet"
          type="button"
          aria-pressed={paused}
          onClick={() => setPaused(!paused)}
        >
          <Icon name={paused ? 'play' : 'pause'} />
          {paused ? `Resume${unseen > 0 ? ` (${unseen} new)` : ''}` : 'Pause'}
          <span class="sr-only"> the activity</span>
        </button>
      </div>
      {groups.length === 0 && <NoActivity fleet={fleet} history={history} filter={filter} />}
      {groups.length > 0 && (
        <ol class="activity-list" tabIndex={0} aria-label="Activity, the latest first">
          {groups.slice(0, shown).map((group) => (
            <ActivityItem key={group[0].id} group={group} onSelect={onSelect} />
          ))}
          {hasEarlier && (
            <li class="activity-more">
              <button class="button" type="button" onClick={showEarlier}>
                Show earlier activity
              </button>
            </li>
          )}
        </ol>
      )}
    </aside>
  );
}

interface FilterSelectProps {
  readonly filter: ActivityFilter;
  readonly onFilter: (filter: ActivityFilter) => void;
}

const FILTERS = Object.keys(ACTIVITY_FILTERS) as ActivityFilter[];

function FilterSelect({ filter, onFilter }: FilterSelectProps): JSX.Element {
  return (
    <div class="select">
      <select
        aria-label="Filter the activity"
        value={filter}
        onChange={({ currentTarget: { value } }) =>
          onFilter(FILTERS.find((known) => known === value) ?? 'all')
        }
      >
        {FILTERS.map((known) => (
          <option key={known} value={known}>
            {ACTIVITY_FILTERS[known].label}
          </option>
        ))}
      </select>
    </div>
  );
}

interface NoActivityProps extends Pick<Props, 'fleet' | 'history'> {
  readonly filter: ActivityFilter;
}

/** Says that nothing happened only if that is known. */
function NoActivity({ fleet, history, filter }: NoActivityProps): JSX.Element {
  const loaded = useFleet(fleet, ({ loaded: received }) => received);
  const isKnown = loaded && history.state !== 'loading';
  const none =
    filter === 'all' ? 'No activity since you opened the page.' : 'No such activity is known.';
  const text =
    history.state === 'failed'
      ? 'The earlier activity could not be read. Changes from now on appear here.'
      : none;
  return <p class="activity-empty">{isKnown ? text : 'Loading…'}</p>;
}
