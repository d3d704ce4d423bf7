// Icons that differ in shape, so that they can be distinguished without colour. They stand beside
// their labels and are hidden from screen readers.

import type { JSX } from 'preact';
import type { ActivityKind } from '../model/activity.js';

const SHAPES = {
  available: <circle cx="8" cy="8" r="5.25" fill="none" stroke="currentColor" stroke-width="2" />,
  'in-use': <circle cx="8" cy="8" r="6.25" fill="currentColor" />,
  failed: (
    <>
      <path d="M8 1.6 15 14H1z" fill="currentColor" stroke="currentColor" stroke-linejoin="round" />
      <path d="M8 6v3.4M8 11.7v.3" class="icon-cut" stroke-width="1.8" stroke-linecap="round" />
    </>
  ),
  other: (
    <path d="M8 1.5 14.5 8 8 14.5 1.5 8z" fill="none" stroke="currentColor" stroke-width="2" />
  ),
  online: (
    <>
      <circle cx="8" cy="8" r="3" fill="currentColor" />
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.5" />
    </>
  ),
  away: <path d="M3.5 8h9" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" />,
  check: (
    <path
      d="m3 8.5 3.4 3.4L13 4.6"
      fill="none"
      stroke="currentColor"
      stroke-width="2.2"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  waiting: (
    <>
      <circle cx="8" cy="8" r="6.25" fill="none" stroke="currentColor" stroke-width="1.8" />
      <path
        d="M8 4.6V8l2.4 1.6"
        fill="none"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
      />
    </>
  ),
  end: (
    <rect
      x="3.2"
      y="3.2"
      width="9.6"
      height="9.6"
      rx="2"
      fill="none"
      stroke="currentColor"
      stroke-width="2"
    />
  ),
  plus: <path d="M8 3v10M3 8h10" stroke="currentColor" stroke-width="2" stroke-linecap="round" />,
  cross: (
    <path d="m4 4 8 8M12 4l-8 8" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
  ),
  search: (
    <>
      <circle cx="7" cy="7" r="4.5" fill="none" stroke="currentColor" stroke-width="1.8" />
      <path
        d="m10.5 10.5 3.5 3.5"
        stroke="currentColor"
        stroke-width="1.8"
        stroke-linecap="round"
      />
    </>
  ),
  up: (
    <path
      d="M8 12.5V3.8M4.4 7.2 8 3.6l3.6 3.6"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  down: (
    <path
      d="M8 3.5v8.7M4.4 8.8 8 12.4l3.6-3.6"
      fill="none"
      stroke="currentColor"
      stroke-width="1.8"
      stroke-linecap="round"
      stroke-linejoin="round"
    />
  ),
  pause: (
    <path
      d="M5.5 3.5v9M10.5 3.5v9"
      stroke="currentColor"
      stroke-width="2.4"
      stroke-linecap="round"
    />
  ),
  play: <path d="M5 3.2v9.6L13 8z" fill="currentColor" />,
  light: (
    <>
      <circle cx="8" cy="8" r="3" fill="currentColor" />
      <path
        d="M8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M12.6 3.4l-1.1 1.1M4.5 11.5l-1.1 1.1"
        stroke="currentColor"
        stroke-width="1.6"
        stroke-linecap="round"
      />
    </>
  ),
  dark: <path d="M13.2 9.9A5.8 5.8 0 0 1 6.1 2.8a5.8 5.8 0 1 0 7.1 7.1z" fill="currentColor" />,
  system: (
    <>
      <circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.7" />
      <path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor" />
    </>
  ),
  warning: (
    <path d="M8 3v6M8 12.4v.4" stroke="currentColor" stroke-width="2.2" stroke-linecap="round" />
  ),
} satisfies Record<string, JSX.Element>;

export type IconName = keyof typeof SHAPES;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {SHAPES[name]}
    </svg>
  );
}

export const ACTIVITY_ICONS: Readonly<Record<ActivityKind, IconName>> = {
  registered: 'plus',
  assigned: 'in-use',
  released: 'available',
  failed: 'failed',
  recovered: 'available',
  changed: 'other',
  deleted: 'cross',
  online: 'online',
  away: 'away',
  acknowledged: 'check',
  ended: 'end',
};
