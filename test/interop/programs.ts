// The clients of other languages: how each is started, and what it needs.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Teardown } from '../helpers/database.js';
import { temporaryFolder } from '../helpers/process.js';

/** A program and its first arguments; the URL, the token and where to send it follow. */
export type Command = readonly [program: string, ...args: string[]];

export interface InteropProgram {
  readonly name: string;
  /** For a test's `skip`: false if the machine has what the program needs. */
  readonly skip: string | false;
  /** Compiles it, if that is needed. */
  readonly prepare: (t: Teardown) => Promise<Command>;
}

const file = (name: string): string => join(import.meta.dirname, name);

const runs = (program: string, ...args: string[]): boolean =>
  spawnSync(program, args, { stdio: 'ignore' }).status === 0;

/** Where Debian puts the sources of Go packages. */
const GO_PATH = '/usr/share/gocode';
const hasGorilla =
  existsSync(`${GO_PATH}/src/github.com/gorilla/websocket`) && runs('go', 'version');
const hasMojolicious = runs('perl', '-MMojo::UserAgent', '-e', '1');
// A Java runtime without its compiler cannot run a source file.
const hasJava = runs('javac', '-version');

export const PROGRAMS: readonly InteropProgram[] = [
  {
    name: 'Go, gorilla/websocket',
    skip: !hasGorilla && 'no Go with github.com/gorilla/websocket',
    prepare: async (t) => {
      const program = join(await temporaryFolder(t), 'client');
      const env = { ...process.env, GO111MODULE: 'off', GOPATH: GO_PATH };
      const { status, stderr } = spawnSync('go', ['build', '-o', program, file('gorilla.go')], {
        env,
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(stderr);
      return [program];
    },
  },
  {
    name: 'Perl, Mojolicious',
    skip: !hasMojolicious && 'no Perl with Mojolicious',
    prepare: async () => ['perl', file('mojolicious.pl')],
  },
  {
    name: 'Java, HttpClient',
    skip: !hasJava && 'no Java Development Kit',
    prepare: async (t) => {
      const folder = await temporaryFolder(t);
      const { status, stderr } = spawnSync('javac', ['-d', folder, file('HttpClient.java')], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(stderr);
      return ['java', '-cp', folder, 'HttpClient'];
    },
  },
];
