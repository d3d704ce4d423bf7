// A line of the activity: one entry, or a group of entries that can be opened.

import type { JSX } from 'preact';
import type { ActivityEntry } from '../model/activity.js';
import { describeGroup, type ActivityGroup } from '../model/activity-groups.js';
import { formatTimeOfDay } from '../model/time.js';
import { ACTIVITY_ICONS, Icon } from './icons.js';

interface Props {
  readonly group: ActivityGroup;
  readonly onSelect: (hostname: string) => void;
}

export function ActivityItem({ group, onSelect }: Props): JSX.Element {
  const [{ kind, atMs, actor }] = group;
  return (
    <li class={`activity-item kind-${kind}`}>
      <Icon name={ACTIVITY_ICONS[kind]} />
      <div class="activity-text">
        {group.length === 1 ? (
          <Entry entry={group[0]} onSelect={onSelect} />
        ) : (
          <details>
            <summary>{describeGroup(group)}</summary>
            {group.map((entry) => (
              <p key={entry.id}>
                <Entry entry={entry} onSelect={onSelect} />
              </p>
            ))}
          </details>
        )}
        {actor !== undefined && <span class="activity-actor"> by {actor}</span>}
      </div>
      <time dateTime={new Date(atMs).toISOString()}>{formatTimeOfDay(atMs)}</time>
    </li>
  );
}

interface EntryProps {
  readonly entry: ActivityEntry;
  readonly onSelect: (hostname: string) => void;
}

function Entry({ entry: { hostname, text }, onSelect }: EntryProps): JSX.Element {
  return (
    <>
      <button class="link" type="button" onClick={() => onSelect(hostname)}>
        {hostname}
      </button>{' '}
      {text}
    </>
  );
}
