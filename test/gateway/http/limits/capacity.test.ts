import t from 'tap';
import {
  computeCapacity,
  readOpenFilesLimit,
} from '../../../../src/gateway/http/limits/capacity.js';

t.test('sockets stay below the limit of open files, with room for other files', async (t) => {
  t.same(computeCapacity(20_000, 20_000), { connections: 19_900, sockets: 18_905 });
  t.same(computeCapacity(1_024, 20_000), { connections: 924, sockets: 877 });
  t.same(computeCapacity(200, 20_000), { connections: 100, sockets: 84 });
  t.same(computeCapacity(64, 20_000), { connections: 32, sockets: 16 });
});

t.test('there are never more sockets than configured', async (t) => {
  t.same(computeCapacity(1_048_576, 20_000), { connections: 1_048_476, sockets: 20_000 });
  t.same(computeCapacity(Infinity, 20_000), { connections: Infinity, sockets: 20_000 });
});

t.test('reads the limit of this process', async (t) => {
  t.ok(readOpenFilesLimit() > 20);
});

t.test('an unknown limit counts as no limit', async (t) => {
  const original = process.report.getReport.bind(process.report);
  t.teardown(() => (process.report.getReport = original));
  for (const report of ['', {}, { userLimits: { open_files: { soft: 'unlimited' } } }]) {
    process.report.getReport = () => report as object;
    t.equal(readOpenFilesLimit(), Infinity);
  }
});
