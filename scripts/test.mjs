/**
 * `npm test [-- [--fast] pattern ...]`: installs, builds, and runs the tests whose path contains one of the patterns.
 * `--fast` leaves out the files named `*.slow.test.ts`.
 */
import * as path from 'node:path'
import { compiledTests, EXAMPLES, ensureBuilt, ensureInstalled, listFiles, matches, ROOT } from './prepare.mjs'
import { runTests } from './runner.mjs'

const fast = process.argv.includes('--fast')
const patterns = process.argv.slice(2).filter((arg) => arg !== '--fast')

ensureInstalled()
const built = ensureBuilt(['server', 'test', ...EXAMPLES])

const ofScripts = listFiles(path.join(ROOT, 'scripts/test'))
  .map((file) => path.relative(ROOT, file))
  .filter((file) => file.endsWith('.test.mjs') && matches(file, patterns))
const compiled = /** @type {const} */ (['test', ...EXAMPLES]).flatMap((project) => compiledTests(project, patterns))
const files = [...ofScripts, ...compiled].filter((file) => !fast || !file.includes('.slow.test.'))

const status = runTests(files, patterns)
if (!built) console.error('\nThe build failed: the errors of the compiler are above the tests.')
process.exitCode = built ? status : 1
