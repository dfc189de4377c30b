/**
 * Reads a configuration file into statements: the syntax of redis.conf, and nothing of what directives mean, but for
 * `include`, which is a matter of files.
 */

import { basename, dirname, join, resolve } from 'node:path'
import { globMatch } from '../bytes/glob.ts'
import { ConfigError } from './config-error.ts'
import { type ConfigFiles, systemMessage } from './files.ts'
import { splitArguments } from './quoting.ts'

/** A directive with its arguments, and where it was written. */
export interface Statement {
  /** In lower case. */
  readonly name: string
  readonly args: readonly string[]
  /** For messages: `headpond.conf:12`, `--maxmemory`, `HEADPOND_MAXMEMORY`. */
  readonly place: string
  readonly origin: 'file' | 'flag' | 'variable' | 'option'
}

/** Where files are found. */
export interface FileContext {
  readonly files: ConfigFiles
  /** What relative paths start from. */
  readonly workingDirectory: string
}

// Deeper than anyone nests, and far from the end of the stack.
const INCLUDE_DEPTH_MAX = 32

/** The statements of a file and of all files that it includes, in the order in which they count. Throws ConfigError. */
export function readStatements(path: string, context: FileContext): Statement[] {
  return readFile(path, path, context, [])
}

/** As `readStatements`, for a text that is already there. `shownName` is its name in messages. */
export function parseStatements(content: Uint8Array, shownName: string, context: FileContext): Statement[] {
  return parseFile(content, shownName, context.workingDirectory, context, [])
}

function readFile(
  path: string,
  shownName: string,
  context: FileContext,
  including: readonly string[],
  includedAt?: string,
): Statement[] {
  const absolute = resolve(context.workingDirectory, path)
  const place = includedAt ?? shownName
  if (including.includes(absolute) || including.length >= INCLUDE_DEPTH_MAX) {
    throw new ConfigError(place, `include ${shownName}: the file includes itself`, 'Take this line out.')
  }
  let content: Uint8Array
  try {
    content = context.files.read(absolute)
  } catch (error) {
    const problem = `${includedAt === undefined ? '' : `include ${shownName}: `}cannot read the file: ${systemMessage(error)}`
    throw new ConfigError(place, problem, `Check the path and the permissions of ${absolute}.`)
  }
  return parseFile(content, shownName, dirname(absolute), context, [...including, absolute])
}

function parseFile(
  content: Uint8Array,
  shownName: string,
  directory: string,
  context: FileContext,
  including: readonly string[],
): Statement[] {
  const statements: Statement[] = []
  let lineNumber = 0
  for (const line of linesOf(content)) {
    lineNumber++
    const place = `${shownName}:${lineNumber}`
    const statement = parseLine(line, place)
    if (statement === undefined) continue
    if (statement.name === 'include') {
      statements.push(...include(statement, directory, context, including))
    } else {
      statements.push(statement)
    }
  }
  return statements
}

function* linesOf(content: Uint8Array): Generator<Uint8Array> {
  const hasByteOrderMark = content[0] === 0xef && content[1] === 0xbb && content[2] === 0xbf
  for (let at = hasByteOrderMark ? 3 : 0; at < content.length; ) {
    const newlineAt = content.indexOf(0x0a, at)
    const end = newlineAt < 0 ? content.length : newlineAt
    yield content.subarray(at, end)
    at = end + 1
  }
}

/** undefined for a line that says nothing. */
function parseLine(line: Uint8Array, place: string): Statement | undefined {
  const first = line.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d)
  if (first === undefined || first === 0x23) return undefined
  const words = splitArguments(line)
  if (words === undefined) {
    throw new ConfigError(place, 'unbalanced quotes', 'Close each quote, and leave a space after it.')
  }
  // `""` alone is a word without letters, which no directive has for a name; a NUL byte can leave no word at all.
  if (words.length === 0) return undefined
  const [name, ...args] = words.map((word) => decode(word, place))
  return { name: name.toLowerCase(), args, place, origin: 'file' }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

// A comment may be in any encoding; a value is going to be a string, and must not be bent on the way.
function decode(word: Uint8Array, place: string): string {
  try {
    return utf8.decode(word)
  } catch {
    throw new ConfigError(place, 'not valid UTF-8', 'Save the file as UTF-8.')
  }
}

function include(
  statement: Statement,
  directory: string,
  context: FileContext,
  including: readonly string[],
): Statement[] {
  if (statement.args.length !== 1) {
    throw new ConfigError(statement.place, 'include: wrong number of arguments', 'Write: include <path>.')
  }
  const [pattern] = statement.args
  // From the working directory as in Redis; where nothing is found there, from beside the file that says `include`.
  const starts = [context.workingDirectory, directory].map((start) => resolve(start, pattern))
  if (/[*?[]/.test(pattern)) {
    for (const start of starts) {
      const paths = expand(start, context.files)
      if (paths.length > 0) {
        return paths.flatMap((path) => readFile(path, path, context, including, statement.place))
      }
    }
    return [] // a directory of fragments may be empty
  }
  const beside = starts[1]
  const isBeside = starts[0] !== beside && !exists(starts[0], context.files) && exists(beside, context.files)
  return readFile(isBeside ? beside : starts[0], pattern, context, including, statement.place)
}

function exists(path: string, files: ConfigFiles): boolean {
  return files.list(dirname(path)).includes(basename(path))
}

/** The paths that an absolute pattern matches, in alphabetical order. As in a shell, a `*` matches no leading dot. */
function expand(pattern: string, files: ConfigFiles): string[] {
  const parent = dirname(pattern)
  if (parent === pattern) return [pattern]
  const name = basename(pattern)
  const parents = /[*?[]/.test(parent) ? expand(parent, files) : [parent]
  const wanted = Buffer.from(name)
  return parents.flatMap((directory) =>
    files
      .list(directory)
      .filter((entry) => {
        if (entry.startsWith('.') && !name.startsWith('.')) return false
        const text = Buffer.from(entry)
        return globMatch(wanted, 0, wanted.length, text, 0, text.length, false)
      })
      .sort()
      .map((entry) => join(directory, entry)),
  )
}
