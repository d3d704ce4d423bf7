// The row of a VM as it travels: what `row_to_json` gives, times as PostgreSQL's zoneless ISO text in UTC.

import { Type, type Static } from 'typebox';

const nullable = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

/** A row of `vms`. Columns that nobody here knows travel with it. */
export const Vm = Type.Object(
  {
    id: Type.Integer({ description: 'Primary key.' }),
    hostname: Type.String({ description: 'Names the VM; unique.' }),
    email: nullable(Type.String(), 'The person the VM is assigned to.'),
    status: Type.String({ description: '`available`, `in-use`, `failed`; others flow through.' }),
    crd_command: nullable(Type.String(), 'What the VM runs. Never shown to dashboards.'),
    created_at: nullable(Type.String(), 'UTC, ISO 8601 without a zone.'),
    updated_at: nullable(Type.String(), 'UTC, ISO 8601 without a zone.'),
    version: nullable(Type.Integer(), 'Orders the changes of one hostname, and nothing else.'),
    assignment_id: nullable(Type.String(), 'Identity of the assignment; null when available.'),
  },
  { additionalProperties: true },
);
export type Vm = Static<typeof Vm>;

/** What a dashboard sees of a row; configuration may add columns, never `crd_command`. */
export const DASHBOARD_COLUMNS: readonly string[] = [
  'id',
  'hostname',
  'email',
  'status',
  'created_at',
  'updated_at',
  'version',
  'assignment_id',
];

/** A dashboard's row: the allow-list and what configuration adds to it. */
export const DashboardVm = Type.Omit(Vm, ['crd_command'], { additionalProperties: true });
export type DashboardVm = Static<typeof DashboardVm>;

/** The status of a VM that is assigned to a person. */
export const IN_USE = 'in-use';
