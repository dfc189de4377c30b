/**
 * Holds packages/headpond/src to its architecture: a file imports from its own folder and from floors strictly below,
 * never from above or across, and no two files need each other. Think hard before changing the list of floors.
 */
import * as fs from 'node:fs'
import * as path from 'node:path'
import { listFiles } from './prepare.mjs'

/** From the ground up. Folders that share a floor do not know each other. */
export const FLOORS = [
  ['bytes'],
  ['config', 'memory'],
  ['store', 'log'],
  ['persistence', 'scripting', 'security'],
  ['net'],
  ['resp', 'memcached', 'kafka'],
  ['server'],
  ['cli', 'testing'],
]

const FLOOR_OF = new Map(FLOORS.flatMap((folders, floor) => folders.map((folder) => [folder, floor])))

/** The public door of the package stands beside `server`: it may show what is on that floor and below. */
const DOOR = 'index.ts'

/**
 * @typedef {object} Import
 * @property {string} file that imports, relative to the source folder
 * @property {number} line
 * @property {string} specifier as written
 * @property {string | undefined} target the file meant, relative to the source folder; undefined for a package
 * @property {boolean} erased whether only types are imported, so that nothing is loaded
 */

/** Prints what breaks the rules of a source folder; true when nothing does. @param {string} source */
export function checkFloors(source) {
  const faults = findFaults(source)
  for (const fault of faults) console.error(fault)
  return faults.length === 0
}

/** @param {string} source @returns {string[]} one line for each fault, `src/x.ts:12: what is wrong` */
export function findFaults(source) {
  const files = listFiles(source)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => path.relative(source, file).split(path.sep).join('/'))
  const imports = files.flatMap((file) => listImports(source, file))
  const name = path.basename(source)
  return [
    ...files.flatMap((file) => homeFault(file)),
    ...imports.flatMap((each) => floorFault(each)),
    ...findCycles(files, imports),
  ].map((fault) => `${name}/${fault}`)
}

/** @param {string} file */
function homeFault(file) {
  if (file === DOOR || FLOOR_OF.has(folderOf(file))) return []
  return [`${file}:1: ${folderOf(file) || 'a file outside of any folder'} is on no floor (${describeFloors()})`]
}

/** @param {Import} each */
function floorFault({ file, line, specifier, target }) {
  if (target === undefined) {
    if (!/^(#|headpond(\/|$))/.test(specifier)) return [] // a package, or Node's own
    return [`${file}:${line}: inside src, import '${specifier}' by its relative path`]
  }
  if (target.startsWith('../')) return [`${file}:${line}: '${specifier}' is outside of src`]
  const [from, to] = [folderOf(file), folderOf(target)]
  if (from === to && file !== DOOR) return []
  const fromFloor = file === DOOR ? /** @type {number} */ (FLOOR_OF.get('server')) + 0.5 : FLOOR_OF.get(from)
  const toFloor = FLOOR_OF.get(to)
  if (fromFloor === undefined) return [] // reported once, for the file
  if (toFloor !== undefined && toFloor < fromFloor) return []
  return [`${file}:${line}: ${from || file} cannot import ${to || target} (${describeFloors()})`]
}

/** Groups of files that need each other, each reported as one way around. @param {string[]} files @param {Import[]} imports */
function findCycles(files, imports) {
  /** @type {Map<string, Import[]>} */
  const needs = new Map(files.map((file) => [file, []]))
  for (const each of imports) {
    if (!each.erased && each.target !== undefined && needs.has(each.target)) needs.get(each.file)?.push(each)
  }
  /** @type {string[]} */
  const faults = []
  /** @type {Map<string, 'open' | 'done'>} */
  const state = new Map()
  /** @type {Import[]} */
  const way = []
  const visit = (/** @type {string} */ file) => {
    state.set(file, 'open')
    for (const each of needs.get(file) ?? []) {
      const target = /** @type {string} */ (each.target)
      way.push(each)
      if (state.get(target) === 'open') {
        const cycle = way.slice(way.findIndex((step) => step.file === target))
        const { file: first, line } = /** @type {Import} */ (cycle[0])
        faults.push(`${first}:${line}: import cycle: ${[...cycle.map((step) => step.file), target].join(' -> ')}`)
      } else if (!state.has(target)) visit(target)
      way.pop()
    }
    state.set(file, 'done')
  }
  for (const file of files) if (!state.has(file)) visit(file)
  return faults
}

/** `import ... from '...'`, `import '...'` and `export ... from '...'`, at the start of a line, over several lines. */
const STATIC_IMPORT = /^[ \t]*(?:import|export)\b(?:(?<names>[^'"`;=()]*?)\bfrom\b)?\s*(?<quoted>'[^'\n]*'|"[^"\n]*")/gm
/** `import('...')`, both as an expression and as a type. */
const DYNAMIC_IMPORT = /\bimport\(\s*(?<quoted>'[^'\n]*'|"[^"\n]*")\s*\)/g

/** @param {string} source @param {string} file @returns {Import[]} */
function listImports(source, file) {
  const text = withoutComments(fs.readFileSync(path.join(source, file), 'utf8'))
  return [...text.matchAll(STATIC_IMPORT), ...text.matchAll(DYNAMIC_IMPORT)].map((match) => {
    const { names, quoted } = /** @type {{ names?: string, quoted: string }} */ (match.groups)
    const specifier = quoted.slice(1, -1)
    return {
      file,
      line: text.slice(0, match.index + match[0].lastIndexOf(quoted)).split('\n').length,
      specifier,
      target: specifier.startsWith('.') ? path.posix.join(path.posix.dirname(file), specifier) : undefined,
      // A dynamic import runs later, when both files are there: no cycle either.
      erased: /^\s*type\b/.test(names ?? '') || match[0].startsWith('import('),
    }
  })
}

/** Blanks whole-line and block comments, and keeps the lines as they are counted. @param {string} text */
function withoutComments(text) {
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\/|^[ \t]*\/\/.*$/gm, (comment) => comment.replace(/[^\n]/g, ' '))
}

/** The first folder of a path: the name that has a floor. @param {string} file */
function folderOf(file) {
  const slash = file.indexOf('/')
  return slash < 0 ? '' : file.slice(0, slash)
}

function describeFloors() {
  return `floors: ${FLOORS.map((folders) => folders.join(', ')).join(' < ')}`
}
