// The schema of a row of `vms` as `row_to_json` writes it. Times are ISO 8601 text without a zone,
// in UTC.

import { Type, type Static } from 'typebox';

const nullable = <T extends Type.TSchema>(schema: T, description: string) =>
  Type.Union([schema, Type.Null()], { description });

/** A row of `vms`. Columns that are unknown here are kept. */
export const Vm = Type.Object(
  {
    id: Type.Integer({ description: 'Primary key.' }),
    hostname: Type.String({ description: 'The unique name of the VM.' }),
    email: nullable(Type.String(), 'The person to which the VM is assigned.'),
    status: Type.String({
      description: '`available`, `in-use` or `failed`; other values are passed on.',
    }),
    crd_command: nullable(Type.String(), 'The command that the VM runs. Dashboards never see it.'),
    created_at: nullable(Type.String(), 'UTC, ISO 8601 without a zone.'),
    updated_at: nullable(Type.String(), 'UTC, ISO 8601 without a zone.'),
    version: nullable(Type.Integer(), 'Orders the changes of one hostname only.'),
    assignment_id: nullable(
      Type.String(),
      'Identifies the assignment; null while the VM is available.',
    ),
  },
  { title: 'Vm', additionalProperties: true },
);
export type Vm = Static<typeof Vm>;

/** The columns that a dashboard sees. Configuration may add columns, but never `crd_command`. */
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

/** A row as a dashboard sees it: the columns above, and those that configuration adds. */
export const DashboardVm = Type.Omit(Vm, ['crd_command'], {
  title: 'DashboardVm',
  additionalProperties: true,
});
export type DashboardVm = Static<typeof DashboardVm>;

/** The status of a VM that is assigned to a person. */
export const IN_USE = 'in-use';
