import t from 'tap';
import { DASHBOARD_COLUMNS, DashboardVm, Vm } from '../../src/protocol/row.js';

t.test('a dashboard sees every column of the protocol except the command', async (t) => {
  const columns = Object.keys(Vm.properties).filter((column) => column !== 'crd_command');
  t.same([...DASHBOARD_COLUMNS].sort(), columns.sort());
  t.same(Object.keys(DashboardVm.properties).sort(), columns.sort());
});
