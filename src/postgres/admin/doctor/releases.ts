// What is known of PostgreSQL's releases: the latest minor release of each major version, and the
// day after which a version gets no fixes. Pure.

import type { Finding } from './finding.js';

interface Release {
  /** The latest minor release on the day `KNOWN_ON`; undefined for a version that has ended. */
  readonly minor: number | undefined;
  /** The last day of support (postgresql.org, "Versioning Policy"), in ISO 8601. */
  readonly supportedUntil: string;
}

/** The day of these data. A gateway that is older than a release cannot know it. */
const KNOWN_ON = '2026-12-01';

const RELEASES: Readonly<Record<number, Release>> = {
  13: { minor: undefined, supportedUntil: '2025-11-13' },
  14: { minor: undefined, supportedUntil: '2026-11-12' },
  15: { minor: 20, supportedUntil: '2027-11-11' },
  16: { minor: 16, supportedUntil: '2028-11-09' },
  17: { minor: 12, supportedUntil: '2029-11-08' },
  18: { minor: 7, supportedUntil: '2030-11-14' },
};

/**
 * Checks a version for a later minor release and for the end of its support.
 *
 * @param versionNumber `server_version_num`, such as 150020 for 15.20.
 */
export function checkRelease(versionNumber: number, nowMs: number): Finding[] {
  const [major, minor] = [Math.trunc(versionNumber / 10_000), versionNumber % 10_000];
  const known = RELEASES[major];
  if (known === undefined) return [];
  if (nowMs > Date.parse(`${known.supportedUntil}T23:59:59Z`)) {
    return [createEndOfLifeFinding(major, known.supportedUntil)];
  }
  if (known.minor === undefined || minor >= known.minor) return [];
  return [createOutdatedFinding(major, minor, known.minor)];
}

const createEndOfLifeFinding = (major: number, until: string): Finding => ({
  id: 'server_end_of_life',
  severity: 'warning',
  explanation: `PostgreSQL ${major} gets no fixes since ${until}, not even for faults of security.`,
  remedy:
    'Upgrade the server (pg_upgrade), or copy the database to a newer one: "lablink-gateway db move --to URL".',
});

const createOutdatedFinding = (major: number, minor: number, latest: number): Finding => ({
  id: 'server_outdated',
  severity: 'warning',
  explanation: `The server is PostgreSQL ${major}.${minor}; on ${KNOWN_ON} the latest was ${major}.${latest}. The releases between mend faults, of security too.`,
  remedy:
    'Install the latest minor release, and restart the server at a quiet time. Gateways reconnect by themselves.',
});
