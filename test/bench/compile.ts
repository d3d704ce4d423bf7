// Compiles the gateway, the benchmark's processes and the clients of test/faults to plain
// JavaScript, as an installed gateway runs it. A loader that transpiles at run time wraps functions
// and adds to every process.

import { cp, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Under node_modules, where the processes find their packages. */
const OUT = join(ROOT, 'node_modules', '.cache', 'lablink-gateway-bench');
const FOLDERS = [
  'src',
  ...['bench', 'faults', 'helpers', 'schema'].map((name) => join('test', name)),
];

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.ESNext,
  verbatimModuleSyntax: true,
};

/** Compiles, without checking types; returns the module that runs the benchmark. */
export async function compile(): Promise<string> {
  await rm(OUT, { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  // The program reads its version from it.
  await copyFile(join(ROOT, 'package.json'), join(OUT, 'package.json'));
  await cp(join(ROOT, 'schema'), join(OUT, 'schema'), { recursive: true });
  for (const folder of FOLDERS) {
    const names = await readdir(join(ROOT, folder), { recursive: true });
    const sources = names.filter((name) => name.endsWith('.ts'));
    await Promise.all(sources.map((name) => compileFile(join(folder, name))));
  }
  return join(OUT, 'test', 'bench', 'bench.js');
}

async function compileFile(path: string): Promise<void> {
  const source = await readFile(join(ROOT, path), 'utf8');
  const { outputText } = ts.transpileModule(source, { compilerOptions: OPTIONS, fileName: path });
  const target = join(OUT, path.replace(/\.ts$/, '.js'));
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, outputText);
}
