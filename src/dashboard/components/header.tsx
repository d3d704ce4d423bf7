// The header of the page: the state of the connection, the user, and the theme.

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { useFleet, useNow } from '../hooks.js';
import type { LiveFleet } from '../live-fleet.js';
import { describeConnection, type ConnectionTone } from '../model/connection-labels.js';
import { formatRemaining } from '../model/time.js';
import type { UserClaims } from '../model/token.js';
import { readTheme, setTheme, THEMES, type Theme } from '../theme.js';
import { Brand } from './brand.js';
import { Icon, type IconName } from './icons.js';

interface Props {
  readonly fleet: LiveFleet;
  readonly claims: UserClaims | undefined;
  readonly onSignOut: () => void;
}

/** The time left is shown when the token expires sooner than this. */
const EXPIRES_SOON_MS = 15 * 60_000;

export function Header({ fleet, claims, onSignOut }: Props): JSX.Element {
  return (
    <header class="header">
      <h1 class="header-title">
        <Brand />
      </h1>
      <ConnectionPill fleet={fleet} />
      <div class="header-end">
        {claims !== undefined && <Identity claims={claims} />}
        <ThemeButton />
        <button class="button quiet" type="button" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

const TONE_ICONS: Readonly<Record<ConnectionTone, IconName>> = {
  live: 'online',
  busy: 'waiting',
  trouble: 'failed',
};

function ConnectionPill({ fleet }: { readonly fleet: LiveFleet }): JSX.Element {
  const state = useFleet(fleet, ({ connection }) => connection);
  useNow();
  const { tone, title, detail } = describeConnection(state, fleet.loaded, Date.now());
  return (
    <div class={`connection ${tone}`} title={detail}>
      <Icon name={TONE_ICONS[tone]} />
      <span class="connection-title">{title}</span>
      {/* Screen readers announce each state once, not every second of a countdown. */}
      <span class="sr-only" role="status">
        {title.replace(/ in \d+ s$/, '')}
      </span>
    </div>
  );
}

function Identity({
  claims: { role, sub, expiresAtMs },
}: {
  readonly claims: UserClaims;
}): JSX.Element {
  const leftMs = (expiresAtMs ?? Infinity) - useNow();
  return (
    <span class="identity">
      <span class="identity-name">{sub}</span>
      <span class="identity-role">{role}</span>
      {leftMs < EXPIRES_SOON_MS && (
        <span class="identity-left">
          {leftMs > 0 ? `${formatRemaining(leftMs)} left` : 'expired'}
        </span>
      )}
    </span>
  );
}

function ThemeButton(): JSX.Element {
  const [theme, show] = useState<Theme>(readTheme);
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
  const choose = (): void => {
    setTheme(next);
    show(next);
  };
  return (
    <button
      class="button quiet square"
      type="button"
      title={`Theme: ${theme}`}
      aria-label={`Theme: ${theme}. Change to ${next}`}
      onClick={choose}
    >
      <Icon name={theme} />
    </button>
  );
}
