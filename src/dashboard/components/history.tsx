// A VM's history from the audit, the latest first, a page at a time; read again when the row has changed.

import type { JSX } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Api, Page } from '../api.js';
import { useNow } from '../hooks.js';
import { formatActor, describeEvent, type AuditEvent } from '../model/history.js';
import { describeProblem } from '../model/problem-labels.js';
import { Timestamp } from './fields.js';

interface Props {
  readonly api: Api;
  readonly hostname: string;
  /** Of the row as it is shown. */
  readonly version: number | null | undefined;
}

/** One who changes a VM a hundred times a second is read of once. */
const REST_MS = 300;

export function History({ api, hostname, version }: Props): JSX.Element {
  const [page, setPage] = useState<Page<AuditEvent> | undefined>(undefined);
  const [trouble, setTrouble] = useState('');
  const nowMs = useNow();
  const load = async (shown: readonly AuditEvent[], after: string | undefined): Promise<void> => {
    const answer = await api.readHistory(hostname, after);
    setTrouble(answer.ok ? '' : describeProblem(answer.problem));
    if (answer.ok) setPage({ items: [...shown, ...answer.value.items], next: answer.value.next });
  };
  useEffect(() => {
    const timer = setTimeout(() => void load([], undefined), page === undefined ? 0 : REST_MS);
    return () => clearTimeout(timer);
  }, [hostname, version]);
  const next = page?.next ?? null;
  return (
    <section class="history" aria-labelledby="history-title">
      <h3 id="history-title">History</h3>
      {trouble !== '' && <p class="note">{trouble}</p>}
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
          Earlier
        </button>
      )}
    </section>
  );
}
