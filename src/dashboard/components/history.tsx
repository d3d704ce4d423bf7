// A VM's history from the audit, the latest first, in pages. It is read again when the row has
// changed.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Api, Page } from '../api.js';
import { useNow } from '../hooks.js';
import { formatActor, describeEvent, type AuditEvent } from '../model/history.js';
import { explainFailedRead } from '../model/problem-labels.js';
import { Timestamp } from './fields.js';

interface Props {
  readonly api: Api;
  readonly hostname: string;
  /** The version of the row; the history is read again when it changes. */
  readonly version: number | null | undefined;
}

/** Changes within this time cause one read. */
const REFRESH_DELAY_MS = 300;

export function History({ api, hostname, version }: Props): JSX.Element {
  const [page, setPage] = useState<Page<AuditEvent> | undefined>(undefined);
  const [problem, setProblem] = useState('');
  const nowMs = useNow();
  const load = async (shown: readonly AuditEvent[], after: string | undefined): Promise<void> => {
    const result = await api.readHistory(hostname, after);
    setProblem(result.ok ? '' : explainFailedRead(result.problem));
    if (result.ok) setPage({ items: [...shown, ...result.value.items], next: result.value.next });
  };
  useEffect(() => {
    const timer = setTimeout(
      () => void load([], undefined),
      page === undefined ? 0 : REFRESH_DELAY_MS,
    );
    return () => clearTimeout(timer);
  }, [hostname, version]);
  const next = page?.next ?? null;
  return (
    <section class="history" aria-labelledby="history-title">
      <h3 id="history-title">History</h3>
      {problem !== '' && <p class="note">{problem}</p>}
      {problem === '' && page === undefined && <p class="faint">Loading…</p>}
      {page?.items.length === 0 && <p class="faint">No change is recorded.</p>}
      <ol class="history-list">
        {page?.items.map((event) => (
          <li key={event.id}>
            <span class="history-what">{describeEvent(event)}</span>
            <span class="history-who">{formatActor(event)}</span>
            <Timestamp text={event.at} nowMs={nowMs} />
          </li>
        ))}
      </ol>
      {next !== null && (
        <button class="button" type="button" onClick={() => void load(page?.items ?? [], next)}>
          Show earlier
        </button>
      )}
    </section>
  );
}
