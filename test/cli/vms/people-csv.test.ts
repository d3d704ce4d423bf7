// Lists of people as spreadsheets write them, and what is wrong with others.

import t from 'tap';
import { readPeople } from '../../../src/cli/vms/people-csv.js';

const read = (text: string) => readPeople(Buffer.from(text));

t.test(
  'commas, semicolons and tabs, in any order of columns, with a byte-order mark',
  async (t) => {
    const expected = [{ email: 'a@x.org', hostname: 'vm-1', command: undefined }];
    for (const text of [
      'email,hostname\na@x.org,vm-1\n',
      '\uFEFFVM;Email\r\nvm-1;a@x.org\r\n\r\n',
      'name\temail\tvm\n"Doe, A"\ta@x.org\tvm-1',
    ])
      t.same(read(text), { people: expected, problems: [] }, text);
  },
);

t.test('every problem is named with its line', async (t) => {
  t.same(read('email\nada\n\na@x.org\n,\nA@x.org\n').problems, [
    'Line 2: ada is not an email address.',
    'Line 5: there is no email.',
    'Line 6: a@x.org is in line 4 already.',
  ]);
  t.match(read('name,phone\nx,1').problems, [/no column "email", but: name, phone/]);
  t.same(read('').problems, ['The file is empty.']);
  t.same(read('email\n').problems, ['There are no people below the header.']);
  t.match(read('email\n"a@x.org\nb@x.org\n').problems, [/^Line \d+: it is not CSV: /]);
});

t.test('another encoding than UTF-8 is refused with its line', async (t) => {
  const latin1 = Buffer.from('email\na@x.org\nmüller@x.org\n', 'latin1');
  t.same(readPeople(latin1).problems, ['Line 3: it is not UTF-8: save the file as “CSV UTF-8”.']);
  t.match(readPeople(Buffer.from('\uFEFFemail\na@x.org', 'utf16le')).problems, [/UTF-16/]);
});
