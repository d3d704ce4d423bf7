// The fleet's activity, the latest first. The list can be paused, and a burst of events is rendered
// a few times a second instead of once per event.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { useFleet } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import type { ActivityEntry } from '../model/activity.js';
import { formatTimeOfDay } from '../model/time.js';
import { ACTIVITY_ICONS, Icon } from './icons.js';

/** How the reading of the events from before the page was opened went. */
export type HistoryState = 'none' | 'loading' | 'loaded' | 'failed';

interface Props {
  readonly fleet: LiveFleet;
  readonly history: HistoryState;
  readonly onSelect: (hostname: string) => void;
  readonly hidden: boolean;
}

/** How many entries are rendered. */
const SHOWN = 60;
const REDRAW_MS = 400;

export function ActivityFeed({ fleet, history, onSelect, hidden }: Props): JSX.Element {
  const [paused, setPaused] = useState(false);
  const { entries, unseen } = useEntries(fleet, paused);
  return (
    <aside class="activity" aria-labelledby="activity-title" hidden={hidden}>
      <div class="activity-head">
        <h2 id="activity-title">Activity</h2>
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
      {entries.length === 0 ? (
        <NoActivity fleet={fleet} history={history} />
      ) : (
        <ol class="activity-list" tabIndex={0} aria-label="Activity, the latest first">
          {entries.map((entry) => (
            <Item key={entry.id} entry={entry} onSelect={onSelect} />
          ))}
        </ol>
      )}
    </aside>
  );
}

/** Says that nothing happened only if that is known. */
function NoActivity({ fleet, history }: Pick<Props, 'fleet' | 'history'>): JSX.Element {
  const loaded = useFleet(fleet, ({ loaded: received }) => received);
  const isKnown = loaded && history !== 'loading';
  const text =
    history === 'failed'
      ? 'The earlier activity could not be read. Changes from now on appear here.'
      : 'No activity since you opened the page.';
  return <p class="activity-empty">{isKnown ? text : 'Loading…'}</p>;
}

interface ItemProps {
  readonly entry: ActivityEntry;
  readonly onSelect: (hostname: string) => void;
}

function Item({ entry: { hostname, kind, text, atMs }, onSelect }: ItemProps): JSX.Element {
  return (
    <li class={`activity-item kind-${kind}`}>
      <Icon name={ACTIVITY_ICONS[kind]} />
      <span class="activity-text">
        <button class="link" type="button" onClick={() => onSelect(hostname)}>
          {hostname}
        </button>{' '}
        {text}
      </span>
      <time dateTime={new Date(atMs).toISOString()}>{formatTimeOfDay(atMs)}</time>
    </li>
  );
}

/** The entries to render, and how many were added since the list was paused. */
function useEntries(
  fleet: LiveFleet,
  paused: boolean,
): { readonly entries: readonly ActivityEntry[]; readonly unseen: number } {
  const [shown, setShown] = useState(() => takeSnapshot(fleet));
  const [count, setCount] = useState(fleet.activity.count);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => {
    const update = (): void => {
      timer.current = undefined;
      setCount(fleet.activity.count);
      if (!paused) setShown(takeSnapshot(fleet));
    };
    update();
    const stop = fleet.subscribe(() => {
      timer.current ??= setTimeout(update, REDRAW_MS);
    });
    return () => {
      stop();
      clearTimeout(timer.current);
      timer.current = undefined;
    };
  }, [fleet, paused]);
  return { entries: shown.entries, unseen: count - shown.count };
}

function takeSnapshot({ activity }: LiveFleet) {
  return { entries: activity.entries.slice(0, SHOWN), count: activity.count };
}
