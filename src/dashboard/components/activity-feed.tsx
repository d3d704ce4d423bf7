// The fleet's activity, the latest first. The list can be paused, and a burst of events is rendered
// a few times a second instead of once per event.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LiveFleet } from '../live-fleet.js';
import type { ActivityEntry } from '../model/activity.js';
import { formatTimeOfDay } from '../model/time.js';
import { ACTIVITY_ICONS, Icon } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly onSelect: (hostname: string) => void;
  readonly hidden: boolean;
}

/** How many entries are rendered. */
const SHOWN = 60;
const REDRAW_MS = 400;

export function ActivityFeed({ fleet, onSelect, hidden }: Props): JSX.Element {
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
        </button>
      </div>
      {entries.length === 0 ? (
        <p class="activity-empty">No activity since you opened the page.</p>
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
