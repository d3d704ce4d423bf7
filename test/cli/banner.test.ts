import t from 'tap';
import { formatBanner } from '../../src/cli/banner.js';

const banner = {
  url: 'http://127.0.0.1:8080',
  database: 'as configured',
  psql: undefined,
  token: undefined,
  signs: true,
  local: false,
  loopback: true,
};

t.test('it says what runs where', async (t) => {
  const text = formatBanner(banner);
  t.match(text, banner.url);
  t.match(text, banner.database);
});

t.test('a token stands there only when one is given', async (t) => {
  t.notMatch(formatBanner(banner), 'Bearer');
  t.match(formatBanner({ ...banner, token: 'a.b.c' }), /Bearer a\.b\.c' http:.*\/v1\/vms/);
});

t.test('the dashboard is linked, signed in only where nobody else can follow', async (t) => {
  t.match(formatBanner(banner), /Dashboard +http:\/\/127\.0\.0\.1:8080\/\n/);
  const signedIn = { ...banner, token: 'a.b.c' };
  t.match(formatBanner(signedIn), 'http://127.0.0.1:8080/#token=a.b.c');
  t.notMatch(formatBanner({ ...signedIn, loopback: false }), '#token');
});

t.test('what finds the database by itself is offered only where it does', async (t) => {
  t.notMatch(formatBanner(banner), 'watch vm-1');
  t.match(formatBanner({ ...banner, local: true }), /db sql ".*" *\) & .* watch vm-1/);
});

t.test('the way to the embedded database is told', async (t) => {
  t.match(formatBanner({ ...banner, psql: 'psql -h /run/x' }), 'psql -h /run/x');
});

t.test(
  'where tokens are only verified it says so, and offers nothing that signs one',
  async (t) => {
    t.notMatch(formatBanner({ ...banner, local: true }), 'JWT_PUBLIC_KEY');
    const text = formatBanner({ ...banner, signs: false, local: true });
    t.match(text, /signed elsewhere: JWT_PUBLIC_KEY/);
    t.notMatch(text, 'watch vm-1');
  },
);
