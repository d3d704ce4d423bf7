// The actions of an admin on one VM. An action applies to the row as it was when its form was
// opened: later changes are shown, and the gateway rejects an action on an outdated row.

import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { WatchedVm } from '../../client/index.js';
import type { ApiResult, Api } from '../api.js';
import { listDifferences } from '../model/differences.js';
import { isConflict, explainProblem, type Problem } from '../model/problem-labels.js';
import { ActionForm } from './action-form.js';
import { ACTIONS, type ActionKind, type ActionValues } from './action-kinds.js';

interface Props {
  readonly api: Api;
  /** The current row; undefined if there is none. */
  readonly vm: WatchedVm | undefined;
}

interface Open {
  readonly kind: ActionKind;
  /** The row as it was when the form was opened. */
  readonly base: WatchedVm;
}

export function Actions({ api, vm }: Props): JSX.Element | null {
  const [open, setOpen] = useState<Open | undefined>(undefined);
  const [problem, setProblem] = useState<Problem | undefined>(undefined);
  const [isBusy, setBusy] = useState(false);
  const [done, setDone] = useState('');
  const panel = useRef<HTMLDivElement>(null);
  useFormFocus(open?.kind, panel);

  const begin = (kind: ActionKind, base: WatchedVm): void => {
    setOpen({ kind, base });
    setProblem(undefined);
    setDone('');
  };
  const act = async ({ kind, base }: Open, values: ActionValues): Promise<void> => {
    setBusy(true);
    const result: ApiResult<unknown> = await ACTIONS[kind].run(api, base, values);
    setBusy(false);
    setProblem(result.ok ? undefined : result.problem);
    if (!result.ok) return;
    setOpen(undefined);
    setDone(ACTIONS[kind].done(base, values));
  };
  const closeForm = (event: KeyboardEvent): void => {
    if (event.key !== 'Escape') return;
    // The drawer, which also closes on Escape, stays open.
    event.stopPropagation();
    setOpen(undefined);
  };
  if (vm === undefined && open === undefined) return <Done text={done} />;
  return (
    <div class="actions" ref={panel}>
      {open === undefined && vm !== undefined && (
        <ActionButtons vm={vm} onChoose={(kind) => begin(kind, vm)} />
      )}
      {open !== undefined && (
        <div class="action-panel" onKeyDown={closeForm}>
          <ChangeNotice base={open.base} vm={vm} onAccept={() => vm && begin(open.kind, vm)} />
          {problem !== undefined && (
            <p class={`note ${isConflict(problem) ? 'conflict' : 'wrong'}`} role="alert">
              {explainProblem(problem)}
            </p>
          )}
          <ActionForm
            kind={open.kind}
            base={open.base}
            isBusy={isBusy}
            onSubmit={(values) => void act(open, values)}
            onCancel={() => setOpen(undefined)}
          />
        </div>
      )}
      <Done text={done} />
    </div>
  );
}

/** Focuses the first field of an opened form, and the form's button again once it is closed. */
function useFormFocus(
  kind: ActionKind | undefined,
  actions: { readonly current: HTMLDivElement | null },
): void {
  const last = useRef<ActionKind | undefined>(undefined);
  useEffect(() => {
    const find = (selector: string) => actions.current?.querySelector<HTMLElement>(selector);
    if (kind !== undefined) find('.action-panel :is(input, textarea, button)')?.focus();
    else if (last.current !== undefined)
      (find(`[data-kind="${last.current}"]`) ?? find('button'))?.focus();
    last.current = kind;
  }, [kind]);
}

const ACTION_KINDS = Object.keys(ACTIONS) as ActionKind[];

interface ActionButtonsProps {
  readonly vm: WatchedVm;
  readonly onChoose: (kind: ActionKind) => void;
}

/** The actions that the row's state allows. */
function ActionButtons({ vm, onChoose }: ActionButtonsProps): JSX.Element {
  return (
    <div class="action-buttons">
      {ACTION_KINDS.filter((kind) => ACTIONS[kind].isOffered(vm)).map((kind) => (
        <button
          key={kind}
          data-kind={kind}
          class={`button ${kind === 'delete' ? 'danger' : ''}`}
          type="button"
          onClick={() => onChoose(kind)}
        >
          {ACTIONS[kind].name(vm)}
        </button>
      ))}
    </div>
  );
}

function Done({ text }: { readonly text: string }): JSX.Element {
  return (
    <p class={text === '' ? 'sr-only' : 'note good'} role="status">
      {text}
    </p>
  );
}

interface ChangeNoticeProps {
  readonly base: WatchedVm;
  readonly vm: WatchedVm | undefined;
  readonly onAccept: () => void;
}

/** Shows what has changed in the row since the form was opened. */
function ChangeNotice({ base, vm, onAccept }: ChangeNoticeProps): JSX.Element | null {
  if (vm?.version === base.version) return null;
  return (
    <div class="change-notice" role="alert">
      <p>This VM has changed since you opened the form:</p>
      <dl>
        {listDifferences(base, vm).map(({ field, before, after }) => (
          <div key={field}>
            <dt>{field}</dt>
            <dd>
              <del>{before}</del> → <ins>{after}</ins>
            </dd>
          </div>
        ))}
      </dl>
      {vm !== undefined && (
        <button class="button" type="button" onClick={onAccept}>
          Use the current state
        </button>
      )}
    </div>
  );
}
