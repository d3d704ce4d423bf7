// The actions on a VM: when each is offered, its texts, and its request.

import type { WatchedVm } from '../../client/index.js';
import type { ApiResult, Api } from '../api.js';

export type ActionKind = 'assign' | 'release' | 'available' | 'failed' | 'delete';

/** The values of the form. */
export interface ActionValues {
  readonly email: string;
  readonly command: string;
}

interface Action {
  readonly isOffered: (vm: WatchedVm) => boolean;
  readonly name: (vm: WatchedVm) => string;
  /** The consequences, shown before the user confirms. */
  readonly warning: (vm: WatchedVm, values: ActionValues) => string;
  readonly run: (api: Api, vm: WatchedVm, values: ActionValues) => Promise<ApiResult<unknown>>;
  readonly done: (vm: WatchedVm, values: ActionValues) => string;
}

export const ACTIONS: Readonly<Record<ActionKind, Action>> = {
  assign: {
    isOffered: () => true,
    name: ({ email }) => (email === null ? 'Assign' : 'Assign to another person'),
    warning: ({ email }, { command }) =>
      [
        email === null ? '' : `${email} will lose the VM.`,
        command === '' ? '' : 'The VM runs the command immediately.',
      ]
        .filter(Boolean)
        .join(' '),
    run: (api, vm, { email, command }) => {
      const reassign = vm.email !== null && vm.email !== email;
      const body = {
        status: 'in-use',
        email,
        crd_command: command === '' ? undefined : command,
        reassign: reassign ? true : undefined,
      };
      return api.changeVm(vm.hostname, body, readVersion(vm));
    },
    done: ({ hostname }, { email }) => `${hostname} was assigned to ${email}.`,
  },
  release: {
    isOffered: ({ assignment_id, email }) => assignment_id !== null && email !== null,
    name: () => 'Release',
    warning: ({ email, status }) =>
      `${email ?? ''} will lose the VM${status === 'failed' ? '; it stays failed' : ''}.`,
    run: (api, vm) => api.releaseAssignment(vm.assignment_id ?? ''),
    done: ({ hostname, email }) => `${hostname} was released from ${email ?? ''}.`,
  },
  available: {
    isOffered: ({ status }) => status !== 'available',
    name: () => 'Mark available',
    warning: ({ email }) =>
      email === null ? 'The VM can be assigned again.' : `${email} will lose the VM.`,
    run: (api, vm) => api.changeVm(vm.hostname, { status: 'available' }, readVersion(vm)),
    done: ({ hostname }) => `${hostname} is available.`,
  },
  failed: {
    isOffered: ({ status }) => status !== 'failed',
    name: () => 'Mark failed',
    warning: () => 'The VM is not assigned until it is available again.',
    run: (api, vm) => api.changeVm(vm.hostname, { status: 'failed' }, readVersion(vm)),
    done: ({ hostname }) => `${hostname} was marked failed.`,
  },
  delete: {
    isOffered: () => true,
    name: () => 'Delete',
    warning: ({ email }) =>
      `The row is deleted; its history is kept.${email === null ? '' : ` ${email} will lose the VM.`}`,
    run: (api, vm) => api.deleteVm(vm.hostname, readVersion(vm)),
    done: ({ hostname }) => `${hostname} was deleted.`,
  },
};

/** Reads the version for `If-Match`; a row without a version counts as 0, as in its ETag. */
const readVersion = ({ version }: WatchedVm): number => version ?? 0;
