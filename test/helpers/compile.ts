// TypeScript modules that are only in memory, compiled as a user with strict settings would.

import { resolve } from 'node:path';
import ts from 'typescript';

const OPTIONS: ts.CompilerOptions = {
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  exactOptionalPropertyTypes: true,
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ['node'],
};

/**
 * Returns the compiler's messages about each module. Imports resolve as from a file in `folder`.
 * @param extension `mts` for an ECMAScript module, `cts` for CommonJS
 */
export function compileModules(
  texts: readonly string[],
  folder = '.',
  extension: 'mts' | 'cts' = 'mts',
): string[][] {
  const textByName = new Map(
    texts.map((text, index) => [resolve(folder, `snippet-${index}.${extension}`), text]),
  );
  const host = ts.createCompilerHost(OPTIONS);
  const fileExists = host.fileExists.bind(host);
  const getSourceFile = host.getSourceFile.bind(host);
  host.fileExists = (file) => textByName.has(file) || fileExists(file);
  host.getSourceFile = (file, version) => {
    const text = textByName.get(file);
    return text === undefined
      ? getSourceFile(file, version)
      : ts.createSourceFile(file, text, version);
  };
  const program = ts.createProgram([...textByName.keys()], OPTIONS, host);
  return [...textByName.keys()].map((name) =>
    ts
      .getPreEmitDiagnostics(program, program.getSourceFile(name))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n')),
  );
}
