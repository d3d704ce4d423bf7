// Reads what the code declares: functions with their names and lengths, exported names, imports.

import { dirname, join, normalize } from 'node:path';
import ts from 'typescript';
import { findLine } from './files.js';

/** Functions with a body: `{ name, line, length }`; the name is undefined for a callback. */
export function readFunctions(tree) {
  const found = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body !== undefined) {
      const line = findLine(tree, node.getStart(tree));
      const length = findLine(tree, node.getEnd()) - line + 1;
      found.push({ name: findName(node, tree), line, length });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return found;
}

function findName(node, tree) {
  if (ts.isConstructorDeclaration(node)) return 'constructor';
  if (node.name !== undefined) return node.name.getText(tree);
  const { parent } = node;
  const isNamed =
    ts.isVariableDeclaration(parent) ||
    ts.isPropertyAssignment(parent) ||
    ts.isPropertyDeclaration(parent);
  return isNamed ? parent.name.getText(tree) : undefined;
}

/**
 * Names that a file declares and exports, `{ name, line }`. What it only exports again is not its
 * own.
 */
export function readExports(tree) {
  const imported = new Set();
  const lines = new Map();
  const found = new Map();
  const add = (name) => {
    lines.set(name.text, lines.get(name.text) ?? findLine(tree, name.getStart(tree)));
    return name.text;
  };
  for (const statement of tree.statements) {
    if (ts.isImportDeclaration(statement)) {
      listImported(statement).forEach((name) => imported.add(name));
      continue;
    }
    const names = listDeclared(statement).map(add);
    const modifiers = ts.canHaveModifiers(statement) ? ts.getModifiers(statement) : undefined;
    const isExported = modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
    const isDefault = modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
    if (isExported && !isDefault) names.forEach((name) => found.set(name, lines.get(name)));
  }
  for (const statement of tree.statements) {
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier !== undefined) continue;
    if (statement.exportClause === undefined || !ts.isNamedExports(statement.exportClause))
      continue;
    for (const { name, propertyName } of statement.exportClause.elements) {
      if (!imported.has((propertyName ?? name).text))
        found.set(name.text, findLine(tree, name.pos));
    }
  }
  return [...found].map(([name, line]) => ({ name, line }));
}

function listImported({ importClause }) {
  const named = importClause?.namedBindings;
  const elements = named === undefined ? [] : ts.isNamedImports(named) ? named.elements : [named];
  return [importClause?.name, ...elements.map(({ name }) => name)]
    .filter((name) => name !== undefined)
    .map(({ text }) => text);
}

/** Identifiers that a statement declares at the top of a file. */
function listDeclared(statement) {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => listBound(name));
  }
  const hasName =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement);
  return hasName && statement.name !== undefined ? [statement.name] : [];
}

function listBound(name) {
  if (ts.isIdentifier(name)) return [name];
  return name.elements.flatMap((element) =>
    ts.isOmittedExpression(element) ? [] : listBound(element.name),
  );
}

/** Paths of the files that a file imports, of those in `paths`. */
export function readImports(path, text, paths) {
  return ts
    .preProcessFile(text)
    .importedFiles.filter(({ fileName }) => fileName.startsWith('.'))
    .map(({ fileName }) => normalize(join(dirname(path), fileName)))
    .flatMap((imported) => [
      imported,
      imported.replace(/\.js$/, '.ts'),
      imported.replace(/\.js$/, '.tsx'),
    ])
    .filter((imported) => paths.has(imported));
}
